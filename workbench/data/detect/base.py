"""What a detector hands back, and the questions several of them ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.data.hints import Hints
from workbench.data.mapping import ColumnMapping, Role, Shape
from workbench.data.values import Column, Table

_FIELD = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Finding:
    """One way to read the dataset.

    Attributes:
        shape: the shape it gives; `columns` role → source, as in `ColumnMapping`; None = it cannot be written as a
            mapping (rows would have to be put together first), and `reason` says what would be needed.
        score: evidence from 0 to 1, before it is tried on the rows.
        reason: one sentence on what was seen.
        rivals: other readings of the same columns that were considered, with why not.
        methods: the methods it speaks for; empty = all that take the shape.
        judged: columns it found to hold better and worse answers, where `columns` cannot say so.
    """

    shape: Shape
    score: float
    reason: str
    columns: dict[Role, str] | None = None
    options: dict[str, str | bool | float | int] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset()
    judged: tuple[str, ...] = ()

    def used(self) -> frozenset[str]:
        """The dataset's columns that its sources name, inside templates too."""
        found: set[str] = set()
        for source in (self.columns or {}).values():
            fields = _FIELD.findall(source) or [source]
            found |= set(fields) | {name.split(".")[0] for name in fields}
        return frozenset(found)

    def mapping(self) -> ColumnMapping | None:
        if self.columns is None:
            return None
        return ColumnMapping(shape=self.shape, columns=self.columns, options=self.options)


Candidate = Finding


def extras(table: Table, hints: Hints, *, tools: bool = True) -> dict[Role, str]:
    """Columns that go beside any conversation: a system prompt, tool schemas, images."""
    found: dict[Role, str] = {}
    if (system := system_column(table, hints)) is not None:
        found["system"] = system.name
    schemas = table.of_kind("tools")
    if tools and schemas:
        found["tools"] = max(schemas, key=lambda column: hints.of(column.name, "tools")).name
    pictures = table.of_kind("images", "image")
    if pictures:
        found["images"] = pictures[0].name
    return found


def only_system(table: Table, hints: Hints) -> dict[Role, str]:
    """The system column alone, for shapes that take nothing else."""
    system = system_column(table, hints)
    return {} if system is None else {"system": system.name}


def system_column(table: Table, hints: Hints) -> Column | None:
    """A text column that reads like system prompts: by its openings, or by its name and few distinct values."""
    best, best_score = None, 0.5
    for column in table.of_kind("text", "empty"):
        name = hints.of(column.name, "system")
        few = 1.0 if column.distinct <= 0.3 and column.word_count >= 3 else 0.0
        score = 0.6 * column.system_like + 0.5 * name + 0.2 * few
        if column.kind == "empty" or column.is_category or (not name and few == 0.0):
            continue
        if score > best_score:
            best, best_score = column, score
    return best


def free_texts(table: Table, hints: Hints) -> list[Column]:
    """Text columns that may carry a task: not system prompts, categories, ids, or bookkeeping by name."""
    system = system_column(table, hints)
    found = []
    for column in table.of_kind("text", "transcript"):
        if column is system or column.is_category:
            continue
        bookkeeping = hints.of(column.name, "meta") >= 1.0 and column.word_count <= 6
        if not bookkeeping:
            found.append(column)
    return found


def same_text(one: Column, other: Column) -> float:
    """The share of rows in which both columns hold the same text (blank rows left out)."""
    pairs = [(a.strip(), b.strip()) for a, b in zip(one.texts, other.texts, strict=True) if a.strip() and b.strip()]
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else 0.0


def field_name(column: Column) -> str:
    """A column as a template field."""
    return "{" + column.name + "}"


def quoted(*names: str) -> str:
    """Column names for a sentence: `a`, `b` and `c`."""
    marked = [f"`{name}`" for name in names]
    return marked[0] if len(marked) == 1 else f"{', '.join(marked[:-1])} and {marked[-1]}"


def does(names: Sequence[str], verb: str) -> str:
    """Names with their verb: `a` asks; `a` and `b` ask."""
    return f"{quoted(*names)} {verb if len(names) == 1 else verb.removesuffix('s')}"
