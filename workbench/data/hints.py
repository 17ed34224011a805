"""What a column's name suggests. Weak evidence by design: names lie, values do not.

Each hint is a number from 0 to 1. A name is split at underscores, digits and capitals; words that most columns of a
dataset share ("sql" in sql_prompt, sql_context, sql) say nothing and are dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")

_WORDS: Mapping[str, str] = {
    "prompt": "prompt instruction instructions question query input problem history user human request ask utterance "
    "task src q inquiry premise post",
    "completion": "completion response answer answers output target solution reply summary assistant bot gpt sql "
    "generation result tgt a translation highlights tldr code",
    "context": "context passage document article schema background knowledge evidence table paragraph facts "
    "reference history",
    "input": "input inputs",
    "reasoning": "cot reasoning thinking thought thoughts rationale chain scratchpad think",
    "explanation": "explanation why notes comment",
    "final": "final answer short gold result",
    "system": "system sys persona",
    "decoy": "original raw old generated generation source seed previous alt",
    "meta": "id idx index source type category categories lang language model date time url uri hash score scores "
    "rating ratings split subset topic subject domain difficulty uuid timestamp name author license dataset level tag "
    "tags meta metadata version count num file path status",
    "better": "chosen accepted accept preferred win winner winning better good positive best pos up correct desired",
    "worse": "rejected reject lose loser losing worse bad negative worst neg dispreferred declined down incorrect "
    "undesired",
    "decider": "better preference preferred prefer winner label labels choice best which overall verdict judgement "
    "judgment",
    "label": "label labels good desirable thumbs up accepted liked positive correct is upvoted rating",
    "not_label": "synthetic deleted safe toxic spam train test valid duplicate verified harmful truncated multi",
    "rank": "rank ranking position order place",
    "tools": "tools tool functions function apis api",
    "text": "text content body raw document",
}
_INDEX: Mapping[str, frozenset[str]] = {hint: frozenset(words.split()) for hint, words in _WORDS.items()}


def name_words(name: str) -> tuple[str, ...]:
    """ "Complex_CoT" → ("complex", "cot"); "response1" → ("response", "1")."""
    # "CoT", "QnA": a capital between capitals belongs to the word.
    joined = re.sub(r"\b([A-Z][a-z][A-Z])\b|(?<=_)([A-Z][a-z][A-Z])(?=_|\b)", lambda m: m.group(0).lower(), name)
    return tuple(word.lower() for word in _SPLIT.findall(joined))


@dataclass(frozen=True)
class Hints:
    """The names of one dataset's columns, read against each other."""

    words: Mapping[str, frozenset[str]]

    def of(self, name: str, hint: str) -> float:
        """How much a name suggests `hint`: 1 if all its telling words do, less for one word among others."""
        told = self.words.get(name, frozenset())
        hits = told & _INDEX[hint]
        if not hits:
            return 0.0
        return max(0.5, len(hits) / len(told))


def read(names: Iterable[str]) -> Hints:
    """Hints for a dataset's column names."""
    split = {name: frozenset(word for word in name_words(name) if not word.isdecimal()) for name in names}
    counts = Counter(word for told in split.values() for word in told)
    shared = {word for word, count in counts.items() if count >= 3 and count > len(split) / 2}
    return Hints({name: (told - shared) or told for name, told in split.items()})


def twins(one: str, other: str) -> tuple[str, str] | None:
    """The parts in which two names of one pattern differ ("response_0", "response_1" → "0", "1"), else None."""
    if one == other:
        return None
    first, second = name_words(one), name_words(other)
    if len(first) == len(second) and len(first) > 1:
        differing = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
        if len(differing) == 1:
            return differing[0]
    return None
