"""What the columns of a sample look like. Everything the detectors know of a dataset comes from here, not from names.

A `Table` is a sample of rows seen as columns. Each column has a kind – the majority of its cells' kinds, see
`cells.py` – and measures: how long, how varied, how much it asks, who speaks in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from workbench.data.cells import Kind, Message, is_answered, is_empty, kind_of

# Rows looked at, and characters of a text that are measured: verdicts must come while a cursor moves.
SAMPLE = 64
_CLIP = 4000

_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_TEMPLATE_MARKS = re.compile(
    r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|\[INST\]|<\|(user|assistant|system|end)\|>|"
    r"###\s*(Human|Assistant|User|Instruction|Response)\s*:|(^|\n)(Human|Assistant|USER|ASSISTANT)\s*:",
)
_ASKING = re.compile(
    r"^\W*((who|what|when|where|why|how|which|can you|could you|would you|write|explain|describe|list|name|give|tell|"
    r"find|calculate|compute|solve|convert|translate|summari[sz]e|create|generate|make|suggest|provide|classify|"
    r"identify|compare|rewrite|edit|design|discuss|analy[sz]e|prove|determine|evaluate|please|help me|i need|i want)\b|"
    r"请|怎么|如何|什么|为什么|写|解释|翻译)",
    re.IGNORECASE,
)
_SYSTEM_START = re.compile(
    r"^\W*(system\s*:|you are\b|you're\b|you will be\b|your (task|role|job)\b|act as\b|你是)", re.I
)


@dataclass(frozen=True)
class Column:
    """One column of the sample. `cells` is aligned with the rows; a missing cell is None."""

    name: str
    cells: tuple[Any, ...]
    kind: Kind
    kinds: Mapping[Kind, int]
    position: int = 0
    messages: tuple[tuple[Message, ...] | None, ...] = field(default=(), repr=False)

    @cached_property
    def filled(self) -> list[Any]:
        return [cell for cell in self.cells if not is_empty(cell)]

    @property
    def empty_share(self) -> float:
        return 1 - len(self.filled) / len(self.cells) if self.cells else 1.0

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The cells as (clipped) text, "" where there is none; turns as their contents joined."""
        made = []
        for cell, turns in zip(self.cells, self.messages or (None,) * len(self.cells), strict=True):
            if turns is not None:
                made.append("\n".join(str(turn.get("content", "")) for turn in turns)[:_CLIP])
            elif isinstance(cell, str):
                made.append(cell[:_CLIP])
            elif isinstance(cell, list) and all(isinstance(item, str) for item in cell):
                made.append("\n".join(cell)[:_CLIP])
            elif isinstance(cell, bool) or cell is None or isinstance(cell, Mapping | list):
                made.append("")
            else:
                made.append(str(cell))
        return tuple(made)

    @cached_property
    def words(self) -> tuple[frozenset[str], ...]:
        return tuple(words_of(text) for text in self.texts)

    @cached_property
    def length(self) -> float:
        """Median characters of the filled cells."""
        lengths = [len(text) for text in self.texts if text.strip()]
        return float(median(lengths)) if lengths else 0.0

    @cached_property
    def word_count(self) -> float:
        counts = [size_in_words(text) for text in self.texts if text.strip()]
        return float(median(counts)) if counts else 0.0

    @cached_property
    def distinct(self) -> float:
        """Distinct filled values as a share of the filled cells; 1.0 = all differ."""
        filled = [text for text in self.texts if text.strip()] or [repr(cell) for cell in self.filled]
        return len(set(filled)) / len(filled) if filled else 0.0

    @cached_property
    def asking(self) -> float:
        """The share of texts that ask or order something."""
        found = [text.strip() for text in self.texts if text.strip()]
        if not found:
            return 0.0
        return sum(_asks(text) for text in found) / len(found)

    @cached_property
    def system_like(self) -> float:
        """The share of texts that read like a system prompt ("You are …")."""
        found = [text for text in self.texts if text.strip()]
        return sum(bool(_SYSTEM_START.match(text)) for text in found) / len(found) if found else 0.0

    @cached_property
    def templated(self) -> float:
        """The share of texts with the markers of a chat template in them."""
        found = [text for text in self.texts if text.strip()]
        return sum(bool(_TEMPLATE_MARKS.search(text)) for text in found) / len(found) if found else 0.0

    @property
    def is_category(self) -> bool:
        """A few short values that come again: a source, a language, a difficulty – nothing to train on."""
        if self.kind not in ("text", "id") or self.word_count > 4:
            return False
        return self.distinct <= 0.5 and len(self.filled) >= 4

    @cached_property
    def roles(self) -> frozenset[str]:
        """Roles that occur in turns, by their common names."""
        return frozenset(str(turn["role"]) for turns in self.messages if turns for turn in turns)

    @cached_property
    def answered(self) -> float:
        """The share of dialogues that hold an assistant turn after a user turn."""
        known = [turns for turns in self.messages if turns]
        if not known:
            return 0.0
        return sum(is_answered(turns) for turns in known) / len(known)

    @cached_property
    def opens_with_assistant(self) -> float:
        known = [turns for turns in self.messages if turns]
        return sum(turns[0]["role"] == "assistant" for turns in known) / len(known) if known else 0.0

    @property
    def numbers(self) -> list[float]:
        """The cells that are finite numbers (true and false are 1 and 0)."""
        found = [float(cell) for cell in self.filled if isinstance(cell, int | float) and abs(cell) < 1e300]
        return [number for number in found if number == number]

    @cached_property
    def values(self) -> frozenset[Any]:
        """The distinct plain values of a flag, number or category column; empty if there are many."""
        plain = {cell for cell in self.filled if isinstance(cell, str | int | float | bool)}
        return frozenset(plain) if len(plain) <= 12 and len(plain) < max(len(self.filled), 3) + 1 else frozenset()


@dataclass(frozen=True)
class Table:
    """A sample of rows as columns, in the dataset's order."""

    rows: tuple[Mapping[str, Any], ...]
    columns: Mapping[str, Column]

    def of_kind(self, *kinds: Kind) -> list[Column]:
        return [column for column in self.columns.values() if column.kind in kinds]


def table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """A `Table` of the first rows. Takes anything that is a mapping; never raises."""
    sample: list[Mapping[str, Any]] = []
    for row in rows:
        if isinstance(row, Mapping):
            sample.append({str(name): cell for name, cell in row.items()})
        if len(sample) >= SAMPLE:
            break
    names = list(dict.fromkeys(name for row in sample for name in row))
    columns = {name: _column(name, [row.get(name) for row in sample], index) for index, name in enumerate(names)}
    return Table(tuple(sample), columns)


def words_of(text: str) -> frozenset[str]:
    """The words of a text, lower case; of Chinese, Japanese and Korean the characters."""
    return frozenset([word.lower() for word in _WORD.findall(text)[:400]] + _CJK.findall(text)[:400])


def size_in_words(text: str) -> int:
    return len(text.split()) + len(_CJK.findall(text))


def overlap(one: Sequence[frozenset[str]], other: Sequence[frozenset[str]]) -> float:
    """Mean Jaccard overlap of two columns' words, over rows where both have some."""
    shares = [len(a & b) / len(a | b) for a, b in zip(one, other, strict=True) if a and b]
    return sum(shares) / len(shares) if shares else 0.0


def covered(part: Sequence[frozenset[str]], whole: Sequence[frozenset[str]]) -> float:
    """Mean share of `part`'s words that occur in `whole`, row by row."""
    shares = [len(a & b) / len(a) for a, b in zip(part, whole, strict=True) if a and b]
    return sum(shares) / len(shares) if shares else 0.0


def _column(name: str, cells: list[Any], position: int) -> Column:
    seen = [kind_of(cell) for cell in cells]
    kinds = Counter(kind for kind, _ in seen if kind != "empty")
    return Column(
        name=name,
        cells=tuple(cells),
        kind=_majority(kinds),
        kinds=dict(kinds),
        position=position,
        messages=tuple(turns for _, turns in seen) if any(turns is not None for _, turns in seen) else (),
    )


def _majority(kinds: Counter[Kind]) -> Kind:
    """The kind of most cells. Strings that look like ids or dates count as text when some of them do not."""
    if not kinds:
        return "empty"
    total = sum(kinds.values())
    for group, name in (
        (("text", "id", "date", "url", "transcript", "json"), "text"),
        (("text", "number"), "text"),
        (("turns", "texts"), "turns"),
    ):
        if kinds.get(name, 0) and sum(kinds[kind] for kind in group) == total:
            main, count = kinds.most_common(1)[0]
            return main if count >= 0.6 * total else name
    main, count = kinds.most_common(1)[0]
    return main if count >= 0.5 * total else "mixed"


def _asks(text: str) -> bool:
    """Ends with a question mark, or begins like a question or an order – in capitals it is code (CREATE TABLE)."""
    if text.endswith(("?", "？")):
        return True
    opening = _ASKING.match(text)
    return opening is not None and not (opening.group(1).isupper() and len(opening.group(1)) > 1)
