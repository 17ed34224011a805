"""From rows and lengths to steps and tokens: what an epoch of a recipe runs through the model. Pure arithmetic."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.plan.recipe import Recipe

if TYPE_CHECKING:
    from workbench.data.lengths import LengthSample

# Evals a run makes when the recipe leaves `evaluation.every` at 0.
EVALS_A_RUN = 5
# Rows of an eval split that is not capped and whose size is not known.
_EVAL_ROWS = 200
# Points a length distribution is reduced to before the expected longest row of a batch is taken from it.
_QUANTILES = 200


@dataclass(frozen=True)
class Work:
    """What a run computes.

    Attributes:
        rows: training rows (after the cap and the held-out part), None if the dataset's size is unknown.
        eval_rows: rows one eval goes through.
        evals: how many evals.
        steps: optimiser steps, 0 if unknown.
        micro_steps: forward-backward passes, `steps` × accumulation.
        tokens_per_epoch: real tokens, without padding, None if unknown.
        micro_tokens: tokens in one pass, padding included.
        row_tokens: tokens of a mean row, after cutting.
        measured: whether lengths come from a sample (else they are a guess from `max_length`).
    """

    rows: int | None
    eval_rows: int
    evals: int
    steps: int
    micro_steps: int
    tokens_per_epoch: float | None
    micro_tokens: float
    row_tokens: float
    measured: bool


def work(recipe: Recipe, lengths: LengthSample | None, rows_total: int | None = None) -> Work:
    """Count the steps and tokens of `recipe`.

    Args:
        lengths: the sample, None if the dataset was not looked at.
        rows_total: rows of the split where the sample does not say.
    """
    training, evaluation = recipe.training, recipe.evaluation
    rows_all = lengths.total_rows if lengths and lengths.total_rows is not None else rows_total
    usable = lengths.usable if lengths and lengths.lengths else 1.0
    rows = rows_all
    if rows is not None and recipe.dataset.rows:
        rows = min(rows, recipe.dataset.rows)
    if rows is not None:
        rows = round(rows * usable)
    eval_rows = 0
    if evaluation.split:
        eval_rows = evaluation.max_rows or _EVAL_ROWS
    elif evaluation.fraction and rows:
        eval_rows = min(max(1, round(rows * evaluation.fraction)), rows // 2, evaluation.max_rows or rows)
        rows -= eval_rows

    measured = bool(lengths and lengths.lengths)
    if lengths and lengths.lengths:
        row_tokens, longest = _row_tokens(lengths.lengths, training.max_length, training.batch)
    else:
        row_tokens, longest = training.max_length / 2, float(training.max_length)
    tokens = None if rows is None or not measured else rows * row_tokens
    passes = rows
    micro = training.batch * longest  # every batch is padded to its longest row
    if training.packing:
        passes = None if rows is None else max(1, math.ceil(rows * row_tokens / training.max_length))
        micro = float(training.batch * training.max_length)
    steps = training.max_steps
    if not steps and passes is not None:
        steps = max(1, math.ceil(math.ceil(passes / (training.batch * training.accumulation)) * training.epochs))
    evals = 0
    if eval_rows and steps:
        every = evaluation.every or math.ceil(steps / EVALS_A_RUN)
        evals = 1 + steps // every  # one before the first step
    return Work(
        rows=rows,
        eval_rows=eval_rows,
        evals=evals,
        steps=steps,
        micro_steps=steps * training.accumulation,
        tokens_per_epoch=tokens,
        micro_tokens=micro,
        row_tokens=row_tokens,
        measured=measured,
    )


@functools.lru_cache(maxsize=256)
def _row_tokens(lengths: tuple[int, ...], max_length: int, batch: int) -> tuple[float, float]:
    """(mean length, expected length of the longest of `batch` random rows), both after cutting to `max_length`."""
    mean = sum(map(min, lengths, (max_length,) * len(lengths))) / len(lengths)
    points = _quantiles(lengths)
    count = len(points)
    longest = 0.0
    below = 0.0
    for index, length in enumerate(points, 1):
        up_to = (index / count) ** batch  # the chance that all rows of the batch are among the `index` shortest
        longest += min(length, max_length) * (up_to - below)
        below = up_to
    return mean, max(mean, longest)


@functools.lru_cache(maxsize=16)
def _quantiles(lengths: tuple[int, ...]) -> tuple[int, ...]:
    ordered = sorted(lengths)
    if len(ordered) <= _QUANTILES:
        return tuple(ordered)
    # The last point is the longest row, so that the longest is never under-estimated.
    return tuple(ordered[math.ceil((index + 1) * len(ordered) / _QUANTILES) - 1] for index in range(_QUANTILES))
