"""Conversations: a column whose cells are turns, or a whole dialogue in one string."""

from __future__ import annotations

from workbench.data.detect.base import Finding, extras, quoted, same_text
from workbench.data.hints import Hints
from workbench.data.mapping import Role
from workbench.data.values import Column, Table


def detect(table: Table, hints: Hints) -> list[Finding]:
    """`messages` for every column of dialogues; `prompt_completion` where turns are split over two columns."""
    found = []
    dialogues = [column for column in table.of_kind("turns", "transcript") if column.answered >= 0.5]
    ranked = sorted(dialogues, key=lambda column: -_score(column, dialogues, hints))
    for column in ranked:
        columns: dict[Role, str] = {"messages": column.name, **extras(table, hints)}
        others = tuple(f"{quoted(other.name)} holds a dialogue too" for other in ranked if other is not column)
        found.append(
            Finding("messages", _score(column, dialogues, hints), _reason(column, columns), columns, rivals=others)
        )
    found += _split_turns(table, hints)
    return found


def _score(column: Column, dialogues: list[Column], hints: Hints) -> float:
    score = 0.93 if column.kind == "turns" else 0.84
    if hints.of(column.name, "better") or hints.of(column.name, "worse"):
        score -= 0.25  # one side of a comparison: fit to train on, but a plain dialogue beside it is meant for that
    # The same dialogue in two columns: any will do, the first wins.
    for other in dialogues:
        if other is not column and other.position < column.position and same_text(column, other) > 0.9:
            score -= 0.02
    return score


def _reason(column: Column, columns: dict[Role, str]) -> str:
    form = "a dialogue in one string" if column.kind == "transcript" else "turns with roles"
    parts = [f"{quoted(column.name)} holds {form}"]
    if "system" in columns:
        parts.append(f"{quoted(columns['system'])} the system prompt")
    if "tools" in columns:
        parts.append(f"{quoted(columns['tools'])} the tools")
    if "images" in columns:
        parts.append(f"{quoted(columns['images'])} the images")
    return ", ".join(parts)


def _split_turns(table: Table, hints: Hints) -> list[Finding]:
    """Prompt turns in one column, answer turns in another."""
    turns = table.of_kind("turns", "turn")
    asks = [column for column in turns if "user" in column.roles and column.answered < 0.5]
    replies = [column for column in turns if column.opens_with_assistant >= 0.8 and not column.roles & {"user"}]
    found = []
    for ask in asks:
        for reply in replies:
            if hints.of(reply.name, "worse"):
                continue
            columns: dict[Role, str] = {"prompt": ask.name, "completion": reply.name, **extras(table, hints)}
            reason = f"{quoted(ask.name)} holds the turns before the answer, {quoted(reply.name)} the answer"
            score = 0.95 - (0.2 if hints.of(reply.name, "better") else 0.0)
            found.append(Finding("prompt_completion", score, reason, columns))
    return found
