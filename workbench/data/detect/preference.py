"""Two answers to one prompt, one of them better: two columns, and something that says which wins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from workbench.data.detect.base import Finding, does, extras, free_texts, quoted, same_text
from workbench.data.detect.pairs import Pair, joined_prompt, pair_score
from workbench.data.hints import Hints, name_words, read, twins
from workbench.data.mapping import Role
from workbench.data.values import Column, Table, overlap

THRESHOLD = 0.5
_KINDS = ("turns", "turn", "transcript", "text")


@dataclass(frozen=True)
class Side:
    """Which column wins, and how that is known. `winner`/`first_wins` as in `to_training_row`."""

    chosen: Column
    rejected: Column
    certainty: float
    how: str
    winner: str = ""
    first_wins: str = ""


def detect(table: Table, hints: Hints) -> list[Finding]:
    """`preference` for the pairs of columns that look like two answers to one question."""
    found = []
    columns = [c for c in table.columns.values() if c.kind in _KINDS and not c.is_category]
    columns = [c for c in columns if hints.of(c.name, "meta") < 1.0 or c.kind != "text"]
    scored = [(alike(one, other, table, hints), one, other) for one, other in combinations(columns, 2)]
    for score, one, other in sorted(scored, key=lambda item: -item[0])[:3]:
        if score < THRESHOLD:
            break
        side = sides(one, other, table, hints)
        if side is not None:
            found.append(_finding(table, hints, side, score))
    return found


def alike(one: Column, other: Column, table: Table, hints: Hints) -> float:
    """Evidence from 0 to 1 that two columns hold rival answers to the same thing."""
    if (one.kind == "text") != (other.kind == "text") and "transcript" not in (one.kind, other.kind):
        return 0.0
    if same_text(one, other) > 0.9:
        return 0.0  # a copy is no rival
    polar = _polar(one, other, hints) or _polar(other, one, hints)
    named_alike = _named_alike(one, other, table)
    if one.kind in ("turns", "transcript") and one.kind == other.kind:
        fork = _forked(one, other)
        if fork >= 0.5 and one.answered >= 0.5 and other.answered >= 0.5:
            return 0.75 + (0.2 if polar else 0.0)
        if fork == 0.0 and not polar and not (_answers_only(one) and _answers_only(other)):
            return 0.0
    if (
        one.kind in ("turns", "turn")
        and not (_answers_only(one) and _answers_only(other))
        and _forked(one, other) < 0.5
    ):
        return 0.0
    ratio = min(one.length, other.length) / max(one.length, other.length, 1.0)
    score = 0.7 if polar else 0.0
    score += 0.3 if named_alike and not polar else 0.0
    score += 0.15 if ratio > 0.4 else 0.05 if ratio > 0.15 else -0.1
    score += 0.12 * min(4 * overlap(one.words, other.words), 1.0)
    if one.kind in ("turn", "turns") and _answers_only(one) and _answers_only(other):
        score += 0.45  # two columns that hold nothing but an assistant's turn
    if one.kind == "text":
        score -= 0.35 * max(one.asking - 0.4, other.asking - 0.4, 0.0)
        score += 0.25 if not polar and _deciders(one, other, table, hints) else 0.0
        score += 0.15 if named_alike and not polar and _prompt_for(one, other, table, hints) is not None else 0.0
        for column in (one, other):
            score -= 0.3 * max(hints.of(column.name, "prompt"), hints.of(column.name, "context")) * (not polar)
            score -= 0.3 * hints.of(column.name, "reasoning") * (not polar)
    return max(0.0, min(score, 0.95))


def sides(one: Column, other: Column, table: Table, hints: Hints) -> Side | None:
    """Which of the two is the better one: by name, by a deciding column, by paired scores, or by order alone."""
    for better, worse in ((one, other), (other, one)):
        if _polar(better, worse, hints):
            return Side(better, worse, 1.0, "the names say which is better")
    if deciders := _deciders(one, other, table, hints):
        column, rule, note = deciders[0]
        rivals = f"; {quoted(*(d[0].name for d in deciders[1:]))} may decide otherwise" if len(deciders) > 1 else ""
        return Side(one, other, 0.9, f"{quoted(column.name)} says which wins ({note}){rivals}", column.name, rule)
    if (scores := _paired_scores(one, other, table)) is not None:
        first, second = scores
        wins = [a > b for a, b in zip(first.cells, second.cells, strict=True) if _numbers(a, b) and a != b]
        share = sum(wins) / len(wins) if wins else 0.5
        if share in (0.0, 1.0) or abs(share - 0.5) > 0.45:
            better, worse = (one, other) if share > 0.5 else (other, one)
            return Side(better, worse, 0.85, f"{quoted(first.name, second.name)} score it higher")
    return Side(one, other, 0.55, f"nothing says which is better, {quoted(one.name)} comes first")


def _finding(table: Table, hints: Hints, side: Side, score: float) -> Finding:
    columns: dict[Role, str] = {"chosen": side.chosen.name, "rejected": side.rejected.name}
    options: dict[str, str | bool | float | int] = {}
    if side.winner:
        options = {"winner": side.winner, "first_wins": side.first_wins}
    rivals: tuple[str, ...] = ()
    parts: list[str] = []
    carries_prompt = _carries_prompt(side.chosen) and _forked(side.chosen, side.rejected) >= 0.5
    if not carries_prompt:
        prompts = _prompt_turns(table, side)
        if len(prompts) > 1:
            names = quoted(*(column.name for column in prompts))
            reason = f"{quoted(side.chosen.name, side.rejected.name)} answer a prompt that is split over {names}"
            return Finding(
                "preference",
                score,
                f"{reason}; columns of turns have to be joined first",
                judged=(side.chosen.name, side.rejected.name),
            )
        if prompts:
            columns["prompt"], parts = prompts[0].name, [prompts[0].name]
        elif (ask := _prompt_for(side.chosen, side.rejected, table, hints)) is not None:
            source, parts = joined_prompt(_without(table, side.rejected), hints, Pair(ask, side.chosen, 1.0))
            columns["prompt"] = source
        else:
            return Finding("preference", 0.0, "two rival answers, but no prompt")
    elif any(column.kind == "text" for column in free_texts(table, hints)):
        rivals = ("the dialogues hold the prompt already; a prompt column beside them only repeats it",)
    used = {*parts, side.chosen.name, side.rejected.name}
    columns |= {role: name for role, name in extras(table, hints, tools=False).items() if name not in used}
    told = does(parts, "asks") if parts else "the turns both share are the prompt"
    reason = f"{quoted(side.chosen.name, side.rejected.name)} are rival answers; {side.how}; {told}"
    return Finding("preference", score * (0.6 + 0.4 * side.certainty), reason, columns, options, rivals)


def _polar(better: Column, worse: Column, hints: Hints) -> bool:
    """chosen/rejected, winner/loser, good_answer/bad_answer …"""
    return hints.of(better.name, "better") > 0 and hints.of(worse.name, "worse") > 0


def _named_alike(one: Column, other: Column, table: Table) -> bool:
    """response_0/response_1, answer_zh/answer_en – but not sql_prompt/sql_context, whose ends are roles.

    Where every column follows the pattern (field_0, field_1, …) it says nothing.
    """
    ends = twins(one.name, other.name)
    if ends is None or all(c is one or twins(one.name, c.name) for c in table.columns.values()):
        return False
    roles = ("prompt", "completion", "context", "reasoning", "explanation", "final", "decoy", "system", "meta")
    read_ends = read(ends)
    return not any(len(end) > 1 and read_ends.of(end, role) for end in ends for role in roles)


def _forked(one: Column, other: Column) -> float:
    """The share of rows in which two dialogues begin alike and end differently."""
    both = [(a, b) for a, b in zip(one.messages, other.messages, strict=False) if a and b]
    return sum(a[0] == b[0] and a != b for a, b in both) / len(both) if both else 0.0


def _answers_only(column: Column) -> bool:
    return column.kind in ("turn", "turns") and column.opens_with_assistant >= 0.8


def _carries_prompt(column: Column) -> bool:
    return column.answered >= 0.5


def _prompt_turns(table: Table, side: Side) -> list[Column]:
    """Columns of turns that end with the user."""
    turns = [c for c in table.of_kind("turns", "turn") if c not in (side.chosen, side.rejected)]
    return [c for c in turns if "user" in c.roles and not same_text(c, side.chosen) > 0.9]


def _prompt_for(one: Column, other: Column, table: Table, hints: Hints) -> Column | None:
    """The text column both answers belong to."""
    asks = [c for c in free_texts(table, hints) if c not in (one, other) and not hints.of(c.name, "worse")]
    ranked = sorted(asks, key=lambda ask: -(pair_score(ask, one, hints) + pair_score(ask, other, hints)))
    return ranked[0] if ranked and pair_score(ranked[0], one, hints) > 0.2 else None


def _deciders(one: Column, other: Column, table: Table, hints: Hints) -> list[tuple[Column, str, str]]:
    """(column, the value or sign that means `one` wins, that in words), the most telling first."""
    found = []
    for column in table.columns.values():
        if column in (one, other) or column.kind not in ("number", "flag", "text", "id"):
            continue
        rule = _rule(column, one, other)
        if rule is None:
            continue
        if _belongs_to(column, one) or _belongs_to(column, other):
            continue  # a property of one answer, such as is_response_0_safe
        weight = hints.of(column.name, "decider") + 0.5 * hints.of(column.name, "label")
        weight += 0.3 if "better" in name_words(column.name) or "overall" in name_words(column.name) else 0.0
        if weight >= 0.4:
            found.append((weight, column, *rule))
    return [(column, rule, note) for _, column, rule, note in sorted(found, key=lambda item: -item[0])]


def _rule(column: Column, one: Column, other: Column) -> tuple[str, str] | None:
    """How the values of a small column would name the winner; None if they cannot."""
    values = {str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in column.values if v == v}
    values = {value.strip() for value in values} - {"tie", "both", "none"}
    if not values:
        return None
    ends = twins(one.name, other.name)
    for first, second in filter(None, (ends, (one.name, other.name), ("a", "b"), ("A", "B"))):
        exact = {value for value in values if value.lower() in (first.lower(), second.lower())}
        if exact == values:
            mine = next((v for v in values if v.lower() == first.lower()), first)
            return mine, f"{mine} = {quoted(one.name)}"
    if column.kind not in ("number", "flag"):
        return None
    numbers = column.numbers
    if not numbers:
        return None
    if min(numbers) < 0 < max(numbers) or (min(numbers) < 0 and max(abs(n) for n in numbers) <= 10):
        return "<0", f"below 0 = {quoted(one.name)}"
    if values <= {"0", "1", "True", "False"}:
        return ("true" if "True" in values or "False" in values else "1"), f"1 = {quoted(one.name)}"
    if values <= {"1", "2"}:
        return "1", f"1 = {quoted(one.name)}"
    return None


def _belongs_to(column: Column, answer: Column) -> bool:
    """Does this column's name contain all of the answer's name, with its distinguishing part?"""
    mine, theirs = name_words(column.name), name_words(answer.name)
    return len(theirs) > 1 and set(theirs) <= set(mine)


def _paired_scores(one: Column, other: Column, table: Table) -> tuple[Column, Column] | None:
    """Two numeric columns named after the two answers, such as score_A and score_B."""
    ends = twins(one.name, other.name) or (one.name.lower(), other.name.lower())
    numbers = table.of_kind("number")
    first = [c for c in numbers if ends[0] in name_words(c.name)]
    second = [c for c in numbers if ends[1] in name_words(c.name)]
    for a in first:
        for b in second:
            if a is not b and twins(a.name, b.name) == ends:
                return a, b
    return None


def _numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _without(table: Table, column: Column) -> Table:
    return Table(table.rows, {name: c for name, c in table.columns.items() if c is not column})
