"""The search line: words, and filters written as `key:value`, such as `qwen task:text-generation size:<3B gated:no`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SIZE = re.compile(r"^(?P<op>[<>]?)(?P<number>\d+(?:\.\d+)?)(?P<unit>[kmbt]?)$", re.IGNORECASE)
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_YES = {"yes": True, "true": True, "no": False, "false": False}

KEYS = ("task", "author", "library", "licence", "license", "language", "size", "gated")


@dataclass(frozen=True)
class Search:
    """What was typed. `complaint` names a filter that could not be read; it is then left out, not guessed."""

    words: str = ""
    filters: dict[str, str] = field(default_factory=dict)
    gated: bool | None = None
    min_params: int | None = None
    max_params: int | None = None
    complaint: str = ""


def parse_search(text: str) -> Search:
    """Never raises: unknown keys stay words (a name may hold a colon)."""
    words: list[str] = []
    filters: dict[str, str] = {}
    gated: bool | None = None
    low: int | None = None
    high: int | None = None
    complaint = ""
    for part in text.split():
        key, colon, value = part.partition(":")
        key = key.lower()
        if not colon or key not in KEYS:
            words.append(part)
        elif not value:
            continue  # still being typed
        elif key == "gated":
            if value.lower() in _YES:
                gated = _YES[value.lower()]
            else:
                complaint = f"gated:{value} – write gated:yes or gated:no"
        elif key == "size" and (match := _SIZE.match(value)):
            amount = int(float(match["number"]) * _UNITS[match["unit"].lower()])
            if match["op"] == "<":
                high = amount
            elif match["op"] == ">":
                low = amount
            else:
                low, high = int(amount * 0.8), int(amount * 1.25)
        else:
            filters["licence" if key == "license" else key] = value
    return Search(" ".join(words), filters, gated, low, high, complaint)
