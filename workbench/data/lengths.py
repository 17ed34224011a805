"""How long the rows are in tokens: what `max_length` cuts, how many tokens an epoch has, what is left to train."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from job_scripts.train import RowError, encode, to_training_row
from workbench.data.mapping import ColumnMapping
from workbench.data.preview import WHOLE, encodable


@dataclass(frozen=True)
class LengthSample:
    """Lengths of a sample of rows, before any truncation.

    Attributes:
        lengths: tokens per row; `trained`: those of them that are trained; `first_trained`: where the first of them is.
        total_rows: rows in the whole split, None if unknown. `skipped`: sampled rows that cannot be trained on.
    """

    lengths: tuple[int, ...]
    trained: tuple[int, ...]
    total_rows: int | None = None
    skipped: int = 0
    first_trained: tuple[int, ...] = ()

    @property
    def usable(self) -> float:
        """The share of sampled rows that can be trained on; 0.0 for an empty sample."""
        seen = len(self.lengths) + self.skipped
        return len(self.lengths) / seen if seen else 0.0

    def tokens_per_epoch(self, max_length: int) -> float | None:
        """Tokens an epoch runs through with every row cut to `max_length`; None if that cannot be known."""
        if self.total_rows is None or not self.lengths:
            return None
        kept = sum(min(length, max_length) for length in self.lengths)
        return kept / len(self.lengths) * self.total_rows * self.usable

    def error(self, max_length: int) -> float:
        """The relative standard error of the mean length: the sample's, without any for being drawn from the start."""
        count = len(self.lengths)
        if count < 2:
            return math.inf if count else 0.0
        if self.total_rows is not None and count + self.skipped >= self.total_rows:
            return 0.0  # every row was measured
        kept = [min(length, max_length) for length in self.lengths]
        mean = sum(kept) / count
        variance = sum((length - mean) ** 2 for length in kept) / (count - 1)
        return math.sqrt(variance / count) / mean if mean else 0.0

    def percentile(self, percent: float) -> int:
        """The length that `percent` (0 to 100) of the rows do not exceed, nearest rank; 0 for an empty sample."""
        if not self.lengths:
            return 0
        ordered = sorted(self.lengths)
        rank = math.ceil(min(max(percent, 0.0), 100.0) / 100 * len(ordered))
        return ordered[max(rank - 1, 0)]

    def cut(self, max_length: int) -> float:
        """The share of rows longer than `max_length`."""
        return sum(length > max_length for length in self.lengths) / len(self.lengths) if self.lengths else 0.0

    def without_target(self, max_length: int) -> float:
        """The share of rows that keep no trained token when cut to `max_length`."""
        if not self.first_trained:
            return 0.0
        return sum(first >= max_length for first in self.first_trained) / len(self.first_trained)


def measure(
    rows: Iterable[Mapping[str, Any]],
    mapping: ColumnMapping,
    tokenizer: Any,
    method: str = "sft",
    loss_on: str = "completion",
    total_rows: int | None = None,
) -> LengthSample:
    """Measure rows as the job would see them. Rows the job would skip are counted in `skipped`, never raised."""
    lengths: list[int] = []
    trained: list[int] = []
    first: list[int] = []
    skipped = 0
    plain = mapping.as_dict()
    for row in rows:
        try:
            made = encodable(to_training_row(row, plain, method))
            encoded = encode(made, tokenizer, max_length=WHOLE, loss_on=loss_on)
        except (RowError, UnicodeError, TypeError, ValueError, KeyError):
            skipped += 1
            continue
        lengths.append(len(encoded.input_ids))
        trained.append(sum(encoded.trained))
        first.append(next((at for at, hit in enumerate(encoded.trained) if hit and at), 0))
    return LengthSample(tuple(lengths), tuple(trained), total_rows, skipped, tuple(first))
