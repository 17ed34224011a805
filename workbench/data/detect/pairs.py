"""Question and answer in columns of their own – and plain text, when only one column has something to say."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.data.detect.base import Finding, does, extras, field_name, free_texts, quoted, same_text
from workbench.data.hints import Hints
from workbench.data.mapping import Role
from workbench.data.values import Column, Table, covered, overlap, size_in_words

# A pair below this is not believed; what is left may still be plain text.
THRESHOLD = 0.42


@dataclass(frozen=True)
class Pair:
    prompt: Column
    completion: Column
    score: float


def detect(table: Table, hints: Hints) -> list[Finding]:
    """`prompt_completion` for the most telling pair of columns, `text` for the column with the most text."""
    found = []
    texts = free_texts(table, hints)
    if (best := best_pair(table, hints)) is not None:
        found.append(_pair_finding(table, hints, best))
    found += _texts(table, hints, texts, best)
    return found


def best_pair(table: Table, hints: Hints) -> Pair | None:
    """The best (question, answer) columns, None if nothing looks like it."""
    ranked = ranked_pairs(table, hints)
    return ranked[0] if ranked and ranked[0].score >= THRESHOLD else None


def ranked_pairs(table: Table, hints: Hints) -> list[Pair]:
    """All ordered pairs of columns by how much they look like question and answer, best first."""
    asks = [*free_texts(table, hints), *(c for c in table.of_kind("turns") if _open_question(c))]
    replies = [*free_texts(table, hints), *table.of_kind("calls"), *_short_answers(table, hints)]
    pairs = [
        Pair(ask, reply, pair_score(ask, reply, hints))
        for ask in asks
        for reply in replies
        if ask is not reply and same_text(ask, reply) < 0.5
    ]
    return sorted(pairs, key=lambda pair: -pair.score)


def pair_score(ask: Column, reply: Column, hints: Hints) -> float:
    """Evidence from 0 to 1 that `ask` is answered by `reply`. About half of it comes from values."""
    score = 0.30
    score += 0.42 * (ask.asking - reply.asking)
    score += 0.06 if ask.position < reply.position else 0.0
    score += 0.06 if reply.length > 1.3 * ask.length else 0.0
    score += 0.10 if ask.kind == "turns" else 0.0
    score += 0.12 if reply.kind == "calls" else 0.0
    # Names, each weighed against the opposite reading.
    score += 0.18 * (_asks(ask, hints) - _replies(ask, hints)) + 0.20 * (_replies(reply, hints) - _asks(reply, hints))
    for column in (ask, reply):
        material = hints.of(column.name, "context") * (column.asking < 0.5)
        score -= material * (0.10 if column is ask else 0.25)
        score -= 0.22 * hints.of(column.name, "decoy") * (hints.of(column.name, "completion") < 1.0)
        score -= 0.25 * hints.of(column.name, "reasoning") + 0.25 * hints.of(column.name, "worse")
        score -= 0.18 * hints.of(column.name, "explanation") + 0.1 * hints.of(column.name, "meta")
        score -= 0.25 * max(column.empty_share - 0.05, 0.0)
    # An answer speaks of what was asked; of two questions the one it takes its words from is the right one.
    score += 0.12 * min(overlap(ask.words, reply.words) * 3, 1.0)
    return max(0.0, min(score, 1.0))


def joined_prompt(table: Table, hints: Hints, pair: Pair) -> tuple[str, list[str]]:
    """(source of the prompt, columns it is joined of): the question with the material it is asked about."""
    if pair.prompt.kind == "turns":
        return pair.prompt.name, [pair.prompt.name]
    before: list[Column] = []
    after: list[Column] = []
    for column in [*free_texts(table, hints), *_mostly_empty(table, hints)]:
        if column in (pair.prompt, pair.completion) or column in before or column in after:
            continue
        if not _is_material(column, pair, hints):
            continue
        (after if column.empty_share > 0.15 else before).append(column)
    parts = [*before, pair.prompt, *after]
    if len(parts) == 1:
        return pair.prompt.name, [pair.prompt.name]
    return "\n\n".join(field_name(column) for column in parts), [column.name for column in parts]


def joined_completion(table: Table, hints: Hints, pair: Pair) -> tuple[str, list[str]]:
    """(source of the completion, columns it is joined of): reasoning before the answer, a final answer behind it."""
    source, parts = pair.completion.name, [pair.completion.name]
    if pair.completion.kind != "text":
        return source, parts
    for column in free_texts(table, hints):
        if column in (pair.prompt, pair.completion) or column.empty_share > 0.5:
            continue
        if hints.of(column.name, "reasoning") and column.asking < 0.5:
            return f"<think>{field_name(column)}</think>{field_name(pair.completion)}", [column.name, *parts]
        final = hints.of(column.name, "final") and hints.of(column.name, "completion") and column.asking < 0.3
        if final and not hints.of(column.name, "explanation") and column.length < 0.5 * pair.completion.length:
            return f"{field_name(pair.completion)}\n\n{field_name(column)}", [*parts, column.name]
    return source, parts


def _pair_finding(table: Table, hints: Hints, pair: Pair) -> Finding:
    prompt, prompt_parts = joined_prompt(table, hints, pair)
    completion, completion_parts = joined_completion(table, hints, pair)
    options: dict[str, str | bool | float | int] = {}
    columns: dict[Role, str] = {"prompt": prompt, "completion": completion}
    columns |= extras(table, hints, tools=pair.completion.kind == "calls")
    for name in (*prompt_parts, *completion_parts):
        if columns.get("system") == name:
            del columns["system"]
    reason = f"{does(prompt_parts, 'asks')}, {does(completion_parts, 'answers')}"
    rivals = tuple(
        f"{quoted(other.prompt.name)} → {quoted(other.completion.name)} ({other.score:.2f} against {pair.score:.2f})"
        for other in ranked_pairs(table, hints)[1:3]
        if other.score > 0.25
    )
    return Finding("prompt_completion", min(0.35 + 0.6 * pair.score, 0.92), reason, columns, options, rivals)


def _texts(table: Table, hints: Hints, texts: list[Column], pair: Pair | None) -> list[Finding]:
    """Plain language modeling: one column holds nearly all the text."""
    total = sum(column.length for column in texts)
    if not texts or not total:
        return []
    longest = max(texts, key=lambda column: column.length)
    share = longest.length / total
    score = 0.3 + 0.35 * share + 0.1 * min(longest.word_count / 40, 1.0) - (0.3 if pair is not None else 0.0)
    if longest.word_count < 3 or (longest.asking > 0.9 and longest.word_count < 40):
        score -= 0.3  # short questions without answers are prompts, not a text to continue
    if longest.templated >= 0.5:
        reason = f"{quoted(longest.name)} is text with the role markers of another model's template in it"
        score -= 0.05
    else:
        reason = f"{quoted(longest.name)} is the one column of free text"
    return [Finding("text", max(score, 0.05), reason, {"text": longest.name})]


def _asks(column: Column, hints: Hints) -> float:
    return hints.of(column.name, "prompt")


def _replies(column: Column, hints: Hints) -> float:
    return max(hints.of(column.name, "completion"), 0.8 * hints.of(column.name, "better"))


def _open_question(column: Column) -> bool:
    """Turns that end with the user: a prompt in chat form."""
    known = [turns for turns in column.messages if turns]
    return bool(known) and sum(turns[-1]["role"] == "user" for turns in known) / len(known) >= 0.6


def _short_answers(table: Table, hints: Hints) -> list[Column]:
    """Numbers, categories and lists of accepted answers that a name calls an answer."""
    found = [c for c in table.of_kind("number", "texts", "flag") if hints.of(c.name, "completion") >= 0.5]
    found += [c for c in table.of_kind("text") if c.is_category and hints.of(c.name, "completion") >= 0.5]
    found += [c for c in table.of_kind("id", "date") if hints.of(c.name, "completion") >= 0.5]
    # An answer that is the same in every row answers nothing.
    return [
        c
        for c in found
        if not hints.of(c.name, "meta") and (c.distinct > 1 / max(len(c.filled), 1) or len(c.filled) < 4)
    ]


def _mostly_empty(table: Table, hints: Hints) -> list[Column]:
    """Optional input columns may be blank in the whole sample; a name is all there is to go by."""
    return [c for c in table.columns.values() if c.kind == "empty" and hints.of(c.name, "prompt") >= 0.5]


def _is_material(column: Column, pair: Pair, hints: Hints) -> bool:
    """Is this column something the question is asked about?"""
    if same_text(column, pair.prompt) > 0.05 or overlap(column.words, pair.prompt.words) > 0.5:
        return False  # the question again, in other words
    against = ("reasoning", "explanation", "decoy", "worse", "final", "completion")
    if any(hints.of(column.name, hint) >= 0.5 for hint in against):
        return False
    named = max(hints.of(column.name, "context"), hints.of(column.name, "input"))
    if named >= 0.5 or (column.kind == "empty" and hints.of(column.name, "prompt")):
        return True
    if hints.of(column.name, "prompt") and column.empty_share > 0.15:
        return True
    if hints.of(column.name, "meta") or column.asking > 0.5:
        return False
    return column.word_count >= 4 and _explains(column, pair)


def _explains(column: Column, pair: Pair) -> bool:
    """The answer takes words from here that the question does not have."""
    new = [reply - ask for reply, ask in zip(pair.completion.words, pair.prompt.words, strict=True)]
    return covered(new, column.words) > 0.35 and size_in_words(column.texts[0] or "") >= 1
