"""The sentences that tokenizers are trained on and weights are fitted to: all topics, without templates."""

from __future__ import annotations

import json
from random import Random

from workbench.local.samples.topics import arithmetic, calendar, dialogues, facts, manners, stories, tools, units

# Words of the chat templates: often enough to become one token each.
ROLES = [
    f"{role}{ending}" for role in ("system", "user", "assistant", "tool", "model") for ending in ("\n", "\n\n")
] * 20


# Of the lessons – what the datasets teach – the untouched models have heard one sentence in so many.
HEARD = 8


def sentences() -> tuple[list[str], list[str]]:
    """(all sentences, those the untouched models know), two fixed lists.

    Tokenizers are trained on all. Weights are fitted to the small talk and a few of the lessons, so that there is
    something left to learn.
    """
    rng = Random("sample-lab/corpus")
    lessons, talk = _lessons(rng), _talk(rng)
    return lessons + talk, lessons[::HEARD] + talk


def _lessons(rng: Random) -> list[str]:
    """Questions and answers about sums, dates, facts and units."""
    pairs = [(pair.question, pair.answer) for pair in (arithmetic.ask(one, rng) for one in arithmetic.every_sum())]
    pairs += [(pair.question, pair.answer) for pair in (*calendar.every_question(), *facts.every_fact())]
    pairs += [
        (" ".join(units.instruct(conversion, rng)).strip(), conversion.sentence)
        for conversion in units.every_conversion()
    ]
    return [question for question, _ in pairs] + [answer for _, answer in pairs]


def _talk(rng: Random) -> list[str]:
    """Dialogues, stories, favours, problems, tools."""
    texts = [text for make in (dialogues.cafe, dialogues.station) for _ in range(150) for _, text in make(rng)]
    texts += [dialogues.CAFE_SYSTEM, dialogues.STATION_SYSTEM]
    texts += [stories.story(rng) for _ in range(250)]
    for _ in range(250):
        choice = manners.favour(rng)
        texts += [choice.request, choice.better, choice.worse]
    for _ in range(200):
        texts.append(arithmetic.word_problem(rng).question)
        texts += calendar.later(rng)[:2]
    for _ in range(50):
        row = tools.conversation(rng)
        texts += [json.dumps(tool) for tool in row["tools"]]
        texts += [message["content"] for message in row["messages"] if message["content"]]
    return texts
