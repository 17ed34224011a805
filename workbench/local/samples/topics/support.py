"""A customer-support dump with everything wrong that real dumps have wrong. Each flaw is planted on purpose.

The rest of the rows are fine, so that a tool can show what is left when the bad ones are gone.
"""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

from workbench.local.samples.topics.dialogues import MENU

# 1-based number of the line that is no JSON (it breaks off in the middle of a string).
BROKEN_LINE = 207
ROWS = 400
# Looks like a secret, opens nothing: the shape of a Hub token with a telling body.
FAKE_SECRET = "hf_" + "ThisIsNotARealTokenItIsASample0000"

Row = dict[str, Any]


def _clean(rng: Random, number: int) -> Row:
    item = rng.choice(sorted(MENU))
    hour, minute = rng.randint(9, 18), rng.randrange(0, 60, 5)
    if rng.random() < 0.5:
        question = f"Where is my order {number}? I asked for a {item}."
        answer = f"Order {number} is on its way. Your {item} arrives at {hour:02d}:{minute:02d}."
    else:
        question = f"I want to cancel order {number}, the {item}."
        answer = f"Order {number} is cancelled. You get {MENU[item]} euros back."
    return {"ticket": number, "messages": [_turn("user", question), _turn("assistant", answer)]}


def _turn(role: str, content: str | None) -> dict[str, Any]:
    return {"role": role, "content": content}


def _spoil(row: Row, flaw: str, original: Row) -> None:
    """Plant one flaw in `row`, in place; a duplicate copies `original`."""
    user, assistant = row["messages"]
    if flaw == "null target":
        assistant["content"] = None
    elif flaw == "empty target":
        assistant["content"] = ""
    elif flaw == "blank target":
        assistant["content"] = "  \n"
    elif flaw == "duplicate":
        row["messages"] = json.loads(json.dumps(original["messages"]))
    elif flaw == "wrong role order":
        row["messages"] = [assistant, user]
    elif flaw == "no assistant":
        row["messages"] = [user]
    elif flaw == "target equals prompt":
        assistant["content"] = user["content"]
    elif flaw == "mojibake":
        # UTF-8 read as Latin-1 once too often.
        text = f"{assistant['content']} Bitte schön – à bientôt!"
        assistant["content"] = text.encode().decode("latin-1")
    elif flaw == "secret":
        assistant["content"] = f"{assistant['content']} (internal note: token={FAKE_SECRET})"
    elif flaw == "boilerplate":
        assistant["content"] = "As an AI language model, I cannot help with that."
    elif flaw == "very long":
        assistant["content"] = " ".join([str(assistant["content"])] * 120)
    else:
        raise ValueError(flaw)


# flaw: how many rows have it
FLAWS = {
    "null target": 8,
    "empty target": 8,
    "blank target": 4,
    "duplicate": 24,
    "wrong role order": 9,
    "no assistant": 6,
    "target equals prompt": 7,
    "mojibake": 10,
    "secret": 1,
    "boilerplate": 12,
    "very long": 3,
}


def dump(rng: Random) -> tuple[bytes, Counter[str]]:
    """(the .jsonl file, flaw → rows). Line BROKEN_LINE is cut off; every other line is one JSON object."""
    rows = [_clean(rng, 1000 + number) for number in range(ROWS)]
    broken_row = BROKEN_LINE - 1
    places = rng.sample([n for n in range(ROWS) if n != broken_row], sum(FLAWS.values()))
    clean = [n for n in range(ROWS) if n != broken_row and n not in set(places)]
    planted: Counter[str] = Counter()
    for flaw, count in FLAWS.items():
        for _ in range(count):
            _spoil(rows[places.pop()], flaw, rows[rng.choice(clean)])
            planted[flaw] += 1
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    broken = lines[broken_row]
    lines[broken_row] = broken[: broken.rindex("content") + 18]
    return ("\n".join(lines) + "\n").encode(), planted
