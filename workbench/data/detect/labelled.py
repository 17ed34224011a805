"""Labels and prompts: an answer with a verdict (KTO), steps with verdicts (PRM), a prompt alone (GRPO), choices."""

from __future__ import annotations

from workbench.data.detect.base import Finding, does, field_name, free_texts, only_system, quoted
from workbench.data.detect.pairs import best_pair, joined_prompt
from workbench.data.hints import Hints
from workbench.data.mapping import Role
from workbench.data.values import Column, Table


def detect(table: Table, hints: Hints) -> list[Finding]:
    return [*_unpaired(table, hints), *_stepwise(table, hints), *_prompt_only(table, hints), *_choices(table, hints)]


def _unpaired(table: Table, hints: Hints) -> list[Finding]:
    """An answer and a flag that says whether it is a good one."""
    flags = [column for column in table.of_kind("flag", "number") if _is_label(column, hints)]
    if not flags:
        return []
    label = max(flags, key=lambda column: hints.of(column.name, "label"))
    certain = 0.96 if hints.of(label.name, "label") else 0.7
    beside = only_system(table, hints)
    dialogues = [column for column in table.of_kind("turns", "transcript") if column.answered >= 0.5]
    if len(dialogues) == 1:
        columns: dict[Role, str] = {"completion": dialogues[0].name, "label": label.name, **beside}
        reason = (
            f"{quoted(dialogues[0].name)} holds dialogues, {quoted(label.name)} says whether the last answer is good"
        )
        return [Finding("unpaired", certain, reason, columns)]
    asks = [column for column in table.of_kind("turns") if "user" in column.roles and column.answered < 0.5]
    replies = [column for column in table.of_kind("turns", "turn") if column.opens_with_assistant >= 0.8]
    if len(asks) == len(replies) == 1:
        columns = {"prompt": asks[0].name, "completion": replies[0].name, "label": label.name, **beside}
        reason = f"{quoted(asks[0].name)} asks, {quoted(replies[0].name)} answers, {quoted(label.name)} judges it"
        return [Finding("unpaired", certain, reason, columns)]
    pair = best_pair(table, hints)
    if pair is None:
        return []
    source, parts = joined_prompt(table, hints, pair)
    columns = {"prompt": source, "completion": pair.completion.name, "label": label.name, **beside}
    reason = (
        f"{does(parts, 'asks')}, {quoted(pair.completion.name)} answers, {quoted(label.name)} says whether it is good"
    )
    return [Finding("unpaired", certain * (0.7 + 0.3 * pair.score), reason, columns)]


def _is_label(column: Column, hints: Hints) -> bool:
    """Both verdicts occur, and the name does not speak of something else."""
    values = set(column.numbers)
    two_valued = column.kind == "flag" or values in ({0.0, 1.0}, {-1.0, 1.0})
    named = hints.of(column.name, "label") > 0
    if hints.of(column.name, "not_label") or not two_valued or column.empty_share > 0.2:
        return False
    return named or (column.kind == "flag" and len(values) == 2)


def _stepwise(table: Table, hints: Hints) -> list[Finding]:
    """Two lists of one length in every row: steps, and whether each is right."""
    found = []
    for steps in table.of_kind("texts"):
        for labels in table.of_kind("flags", "numbers"):
            both = [
                (a, b)
                for a, b in zip(steps.cells, labels.cells, strict=True)
                if isinstance(a, list | tuple) and isinstance(b, list | tuple)
            ]
            if not both or any(len(a) != len(b) for a, b in both):
                continue
            if labels.kind == "numbers" and any(v not in (-1, 0, 1) for _, b in both for v in b):
                continue
            asks = sorted(free_texts(table, hints), key=lambda c: -(c.asking + hints.of(c.name, "prompt")))
            if not asks:
                continue
            columns: dict[Role, str] = {"prompt": asks[0].name, "completions": steps.name, "labels": labels.name}
            reason = f"{quoted(steps.name, labels.name)} are lists of the same length: steps and their labels"
            found.append(Finding("stepwise", 0.95 if labels.kind == "flags" else 0.75, reason, columns))
    return found


def _prompt_only(table: Table, hints: Hints) -> list[Finding]:
    """A prompt, and perhaps a short answer that can be checked."""
    beside = only_system(table, hints)
    pair = best_pair(table, hints)
    if pair is not None:
        source, parts = joined_prompt(table, hints, pair)
        columns: dict[Role, str] = {"prompt": source, "solution": pair.completion.name, **beside}
        options: dict[str, str | bool | float | int] = {}
        short = pair.completion.word_count <= 12
        answers = [text for text in pair.completion.texts if text.strip()]
        if answers and sum("####" in text for text in answers) >= 0.8 * len(answers):
            options, short = {"solution_after": "####"}, True
        reason = f"{does(parts, 'asks')}, {quoted(pair.completion.name)} holds the solution"
        reason += "" if short else " (long: a reward has to judge it)"
        return [Finding("prompt_only", 0.85 if short else 0.6, reason, columns, options, methods=frozenset({"grpo"}))]
    asks = [c for c in table.of_kind("turns") if "user" in c.roles and c.answered < 0.5]
    asks += [c for c in free_texts(table, hints) if c.asking >= 0.5 or hints.of(c.name, "prompt") >= 1.0]
    if not asks:
        return []
    columns = {"prompt": asks[0].name, **beside}
    reason = f"{quoted(asks[0].name)} asks, and nothing answers"
    return [Finding("prompt_only", 0.8, reason, columns, methods=frozenset({"grpo"}))]


def _choices(table: Table, hints: Hints) -> list[Finding]:
    """A question with a list of choices; the answer is the number of one."""
    for choices in table.of_kind("texts"):
        for answer in table.of_kind("number"):
            both = [
                (a, b) for a, b in zip(choices.cells, answer.cells, strict=True) if isinstance(a, list) and len(a) > 1
            ]
            if not both or not all(isinstance(b, int) and 0 <= b < len(a) for a, b in both):
                continue
            if len({len(a) for a, _ in both}) > 3 or not (hints.of(answer.name, "completion") or len(both) > 3):
                continue
            asks = sorted(free_texts(table, hints), key=lambda c: -(c.asking + hints.of(c.name, "prompt")))
            if asks:
                source = f"{field_name(asks[0])}\n\n{field_name(choices)}"
                columns: dict[Role, str] = {"prompt": source, "completion": answer.name}
                reason = f"{quoted(answer.name)} is the number of one of {quoted(choices.name)}, counted from 0"
                return [Finding("prompt_completion", 0.94, reason, columns)]
    return []
