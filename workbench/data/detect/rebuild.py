"""Shapes that lie across rows or deep inside a cell: lists of scored answers, message trees, answers to be grouped.

Where a mapping can express it (a list that is sorted by rank in every row), it does; else the finding has no columns
and its reason says what would have to be done first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from workbench.data.cells import ROLE_NAMES, scored_keys
from workbench.data.detect.base import Finding, free_texts, quoted
from workbench.data.detect.pairs import best_pair
from workbench.data.hints import Hints
from workbench.data.mapping import Role
from workbench.data.values import Column, Table

_BOTH = frozenset({"dpo", "reward"})


def detect(table: Table, hints: Hints) -> list[Finding]:
    return [*_threads(table), *_scored_lists(table, hints), *_nested_answers(table, hints), *_groups(table, hints)]


def _threads(table: Table) -> list[Finding]:
    """One row is one message: a column of role names, and ids that point to other rows' ids."""
    roles = [
        column
        for column in table.of_kind("text", "id")
        if column.filled and all(str(value).strip().lower() in ROLE_NAMES for value in column.filled)
    ]
    if not roles:
        return []
    ids = [c for c in table.of_kind("id", "text", "number") if c.distinct == 1.0 and c.empty_share == 0.0]
    links = [
        (own, parent)
        for own in ids
        for parent in table.of_kind("id", "text", "number", "empty")
        if parent is not own and _points_to(parent, own)
    ]
    if not links:
        return []
    own, parent = links[0]
    pointer = f"{quoted(parent.name)} points to {quoted(own.name)}"
    reason = f"one row is one message ({quoted(roles[0].name)} speaks, {pointer}): threads must be put together"
    found = [Finding("messages", 0.97, reason, methods=frozenset({"sft", "grpo"}))]
    ranked = [c for c in table.of_kind("number") if c.empty_share < 1.0 and "rank" in c.name.lower()]
    if ranked:
        found.append(
            Finding("preference", 0.9, f"{reason}, {quoted(ranked[0].name)} then orders the answers", methods=_BOTH)
        )
    return found


def _points_to(parent: Column, own: Column) -> bool:
    known = {cell for cell in own.cells if isinstance(cell, str | int)}
    pointing = [cell for cell in parent.cells if isinstance(cell, str | int) and cell in known]
    return len(pointing) >= max(1, len(parent.filled) // 4)


def _scored_lists(table: Table, hints: Hints) -> list[Finding]:
    """A list of answers with a number each, such as [{answer, rank}]."""
    found = []
    for column in table.of_kind("scored"):
        keys = next((scored_keys(cell[0]) for cell in column.filled if isinstance(cell, list | tuple)), None)
        asks = sorted(free_texts(table, hints), key=lambda c: -(c.asking + hints.of(c.name, "prompt")))
        if keys is None or not asks:
            continue
        text, number = keys
        numbers = [[_number(item, number) for item in cell] for cell in column.filled if isinstance(cell, list | tuple)]
        lower_wins = hints_rank(number) or _is_ranking(numbers)
        shortest = min((len(row) for row in numbers), default=0)
        reason = f"{quoted(column.name)} is a list of answers, {quoted(number)} says how good each is"
        ordered = shortest > 1 and all(_sorted(row, ascending=lower_wins) for row in numbers)
        if not ordered:
            todo = f"{reason}; they are in no order, so the best has to be picked row by row first"
            found.append(Finding("preference", 0.85, todo))
            continue
        columns: dict[Role, str] = {
            "prompt": asks[0].name,
            "chosen": f"{column.name}.0.{text}",
            "rejected": f"{column.name}.{shortest - 1}.{text}",
        }
        found.append(Finding("preference", 0.85, f"{reason}, best first in every row", columns))
    return found


def _nested_answers(table: Table, hints: Hints) -> list[Finding]:
    """A list of structs with an answer's text inside, and scores somewhere below it."""
    found = []
    for column in table.of_kind("list"):
        items = [item for cell in column.filled if isinstance(cell, list | tuple) for item in cell]
        items = [item for item in items if isinstance(item, dict)]
        texts = [item for item in items if any(isinstance(v, str) and len(v.split()) > 2 for v in item.values())]
        if not items or len(texts) < len(items) / 2 or not free_texts(table, hints):
            continue
        if any(_has_number(item) for item in items):
            reason = (
                f"{quoted(column.name)} holds several answers a row with scores inside: the best has to be picked first"
            )
            found.append(Finding("preference", 0.8, reason))
    return found


def _groups(table: Table, hints: Hints) -> list[Finding]:
    """The same prompt in several rows, with different answers and a graded score."""
    pair = best_pair(table, hints)
    if pair is None:
        return []
    by_prompt: dict[str, set[str]] = defaultdict(set)
    for ask, reply in zip(pair.prompt.texts, pair.completion.texts, strict=True):
        by_prompt[ask].add(reply)
    repeated = sum(len(replies) > 1 for ask, replies in by_prompt.items() if ask)
    scores = [c for c in table.of_kind("number") if len(set(c.numbers)) > 2]
    if repeated * 2 < len(by_prompt) or not scores:
        return []
    names = quoted(*(score.name for score in scores[:3]))
    again = f"{quoted(pair.prompt.name)} comes again with other answers, graded by {names}"
    reason = f"{again}: rows have to be grouped into pairs"
    return [Finding("preference", 0.8, reason, methods=_BOTH)]


def hints_rank(name: str) -> bool:
    """A number called a rank: 1 is best."""
    return any(word in name.lower() for word in ("rank", "place", "order"))


def _is_ranking(numbers: Sequence[Sequence[float | None]]) -> bool:
    """Every row holds 1, 2, 3, … in some order."""
    return bool(numbers) and all(sorted(n or 0 for n in row) == list(range(1, len(row) + 1)) for row in numbers)


def _sorted(row: Sequence[float | None], *, ascending: bool) -> bool:
    values = [value for value in row if value is not None]
    return len(values) == len(row) and values == sorted(values, reverse=not ascending) and values[0] != values[-1]


def _number(item: Any, key: str) -> float | None:
    value = item.get(key) if isinstance(item, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _has_number(value: Any, depth: int = 0) -> bool:
    if isinstance(value, dict):
        return depth < 6 and any(_has_number(inner, depth + 1) for inner in value.values())
    if isinstance(value, list):
        return depth < 6 and any(_has_number(inner, depth + 1) for inner in value)
    return isinstance(value, int | float) and not isinstance(value, bool)
