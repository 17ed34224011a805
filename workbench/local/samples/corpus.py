"""The sentences that tokenizers are trained on and weights are fitted to: all topics, without templates."""

from __future__ import annotations

import json
from random import Random

from workbench.local.samples.topics import arithmetic, calendar, dialogues, facts, manners, stories, tools, units


# Words of the chat templates: often enough to become one token each.
ROLES = ["system user assistant tool model"] * 40


def sentences() -> list[str]:
    """Questions, answers, turns and stories, each as one text; a fixed list."""
    rng = Random("sample-lab/corpus")
    texts: list[str] = []
    for one in arithmetic.every_sum():
        pair = arithmetic.ask(one, rng)
        texts += [pair.question, pair.answer]
    for pair in (*calendar.every_question(), *facts.every_fact()):
        texts += [pair.question, pair.answer]
    for conversion in units.every_conversion():
        texts += [" ".join(units.instruct(conversion, rng)).strip(), conversion.sentence]
    for make in (dialogues.cafe, dialogues.station):
        texts += [text for _ in range(150) for _, text in make(rng)]
    texts += [dialogues.CAFE_SYSTEM, dialogues.STATION_SYSTEM]
    texts += [stories.story(rng) for _ in range(250)]
    for choice in manners.choices(rng, 250):
        texts += [choice.request, choice.better, choice.worse]
    for _ in range(200):
        texts.append(arithmetic.word_problem(rng).question)
        texts += calendar.later(rng)[:2]
    for _ in range(50):
        row = tools.conversation(rng)
        texts += [json.dumps(tool) for tool in row["tools"]]
        texts += [message["content"] for message in row["messages"] if message["content"]]
    return texts
