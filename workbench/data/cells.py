"""The kind of one cell: what it looks like, whatever its column is called.

turns       a list of role/content turns in any form (also as JSON, as a Python literal, or {input, output} pairs)
turn        one role/content struct
transcript  a dialogue in one string ("\\n\\nHuman: …\\n\\nAssistant: …")
text        free text; `id`, `url`, `date` are strings that are none
tools       tool schemas; `calls` tool calls – as objects or as JSON in a string
texts, flags, numbers   lists of strings, booleans, numbers
scored      a list of structs that hold a text and a number (answers with ranks or scores)
flag, number, image, images, struct, list, json, empty, other
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# One knowledge of roles, JSON in strings and transcripts, shared with the job.
from job_scripts.train import ROLES, RowError, messages_of, parsed, transcript
from workbench.hub.types import is_image

Kind = str
# What datasets call a speaker → user, assistant, system, tool.
ROLE_NAMES = ROLES
Message = dict[str, Any]

# Characters of a string that are searched for a dialogue.
_SEARCHED = 200_000

_URL = re.compile(r"^(https?|s3|gs|ftp)://\S+$")
_DATE = re.compile(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}.*)?$")
_HEX = re.compile(r"^[0-9a-fA-F]{16,}$|^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_CODE_WORD = re.compile(r"^[\w./:+-]*\d[\w./:+-]*$")


def is_empty(cell: Any) -> bool:
    """Null, blank text, or nothing inside."""
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or (isinstance(cell, list | tuple | Mapping) and not cell)


def kind_of(cell: Any) -> tuple[Kind, tuple[Message, ...] | None]:
    """(a cell's kind, its turns in common form where it has any)"""
    if is_empty(cell):
        return "empty", None
    if isinstance(cell, bool):
        return "flag", None
    if isinstance(cell, int | float):
        return "number", None
    if isinstance(cell, str):
        return _kind_of_text(cell)
    if isinstance(cell, Mapping):
        return _kind_of_struct(cell)
    if isinstance(cell, list | tuple):
        return _kind_of_list(cell)
    return "other", None


def _kind_of_text(text: str) -> tuple[Kind, tuple[Message, ...] | None]:
    stripped = text.strip()
    if stripped[:1] in "[{" and stripped[-1:] in "]}":
        opened = parsed(stripped)
        if not isinstance(opened, str):
            kind, turns = kind_of(opened)
            return (kind, turns) if kind in ("turns", "turn", "tools", "calls") else ("json", None)
        if stripped[0] == "{" and _are_tools([parsed(part) for part in re.split(r"\n\s*\n", stripped)]):
            return "tools", None
    if _URL.match(stripped):
        return "url", None
    if _DATE.match(stripped):
        return "date", None
    if " " not in stripped and (_HEX.match(stripped) or (len(stripped) >= 6 and _CODE_WORD.match(stripped))):
        return ("id" if not _is_plain_number(stripped) else "text"), None
    try:
        dialogue = transcript(stripped[:_SEARCHED])
    except (RowError, RecursionError):
        dialogue = None
    return ("transcript", tuple(dialogue)) if dialogue and is_answered(dialogue) else ("text", None)


def _is_plain_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d{1,12}([.,]\d+)?%?", text))


def _kind_of_struct(cell: Mapping[str, Any]) -> tuple[Kind, tuple[Message, ...] | None]:
    if is_image(cell):
        return "image", None
    if _are_tools([cell]):
        return "tools", None
    if _has_role(cell):
        turns = _turns(cell)
        return ("turn" if turns is None or len(turns) <= 1 else "turns"), turns
    turns = _turns(cell)
    return ("turns", turns) if turns and len(turns) > 1 and _columnar(cell) else ("struct", None)


def _kind_of_list(cell: Sequence[Any]) -> tuple[Kind, tuple[Message, ...] | None]:
    items = [item for item in cell if item is not None]
    if not items:
        return "empty", None
    if all(isinstance(item, str) for item in items):
        return "texts", None
    if all(isinstance(item, bool) for item in items):
        return "flags", None
    if all(isinstance(item, int | float) for item in items):
        return "numbers", None
    if not all(isinstance(item, Mapping) for item in items):
        return "list", None
    if all(is_image(item) for item in items):
        return "images", None
    if all(_has_role(item) for item in items):
        return "turns", _turns(items)
    if _are_tools(items):
        return "tools", None
    if _are_calls(items):
        return "calls", None
    if all(scored_keys(item) for item in items):
        return "scored", None
    turns = _turns(items)
    return ("turns", turns) if turns else ("list", None)


def scored_keys(item: Any) -> tuple[str, str] | None:
    """(key of the text, key of the number) in an answer with a score or rank; None if it is none."""
    if not isinstance(item, Mapping):
        return None
    texts = [key for key, value in item.items() if isinstance(value, str) and value.strip()]
    numbers = [key for key, value in item.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    if not texts or not numbers:
        return None
    return str(max(texts, key=lambda key: len(item[key]))), str(numbers[0])


def _turns(cell: Any) -> tuple[Message, ...] | None:
    try:
        return tuple(messages_of(cell))
    except (RowError, RecursionError, TypeError, ValueError, AttributeError):
        return None


def is_answered(turns: Sequence[Message]) -> bool:
    asked = False
    for turn in turns:
        if turn["role"] == "assistant" and asked:
            return True
        asked = asked or turn["role"] in ("user", "tool")
    return False


def _has_role(item: Mapping[str, Any]) -> bool:
    return any(
        isinstance(item.get(key), str) and item[key].strip().lower() in ROLE_NAMES
        for key in ("role", "from", "speaker", "author")
    )


def _columnar(cell: Mapping[str, Any]) -> bool:
    return sum(isinstance(value, list | tuple) for value in cell.values()) >= 2


def _are_tools(items: Sequence[Any]) -> bool:
    """Tool schemas: a name with a description or parameters."""
    found = [item.get("function", item) if isinstance(item, Mapping) else None for item in items]
    return bool(found) and all(
        isinstance(item, Mapping)
        and isinstance(item.get("name"), str)
        and (isinstance(item.get("parameters"), Mapping | str) or "description" in item)
        and "arguments" not in item
        for item in found
    )


def _are_calls(items: Sequence[Any]) -> bool:
    found = [item.get("function", item) if isinstance(item, Mapping) else None for item in items]
    return bool(found) and all(
        isinstance(item, Mapping) and isinstance(item.get("name"), str) and "arguments" in item for item in found
    )
