"""What the cells of a column look like. Everything the detectors know about a dataset comes from here, not from names.

A `Table` is a sample of rows seen as columns. Each column gets a `kind`, the majority of its cells' kinds:

    turns       a list of role/content turns in any form (also as JSON, as a Python literal, or {input, output} pairs)
    turn        one role/content struct
    transcript  a dialogue in one string ("\\n\\nHuman: …\\n\\nAssistant: …")
    text        free text; `id`, `url`, `date` are strings that are none
    tools       tool schemas; `calls` tool calls – as objects or as JSON in a string
    texts, flags, numbers   lists of strings, booleans, numbers
    scored      a list of structs that hold a text and a number (answers with ranks or scores)
    flag, number, image, images, struct, list, empty
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

# One knowledge of roles, JSON in strings and transcripts, shared with the job.
from job_scripts.train import _ROLES, RowError, _messages, _parsed, _transcript
from workbench.hub.types import is_image

Kind = str
# What datasets call a speaker → user, assistant, system, tool.
ROLE_NAMES = _ROLES
Message = dict[str, Any]

# Rows looked at, and characters of a text that are measured: verdicts must come while a cursor moves.
SAMPLE = 64
_CLIP = 4000

_URL = re.compile(r"^(https?|s3|gs|ftp)://\S+$")
_DATE = re.compile(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}.*)?$")
_HEX = re.compile(r"^[0-9a-fA-F]{16,}$|^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_CODE_WORD = re.compile(r"^[\w./:+-]*\d[\w./:+-]*$")
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_TEMPLATE_MARKS = re.compile(
    r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|\[INST\]|<\|(user|assistant|system|end)\|>|"
    r"###\s*(Human|Assistant|User|Instruction|Response)\s*:|(^|\n)(Human|Assistant|USER|ASSISTANT)\s*:",
)
_ASKING = re.compile(
    r"^\W*(who|what|when|where|why|how|which|is|are|am|was|were|do|does|did|can|could|would|should|will|may|if|given|"
    r"write|explain|describe|list|name|give|tell|find|calculate|compute|solve|convert|translate|summari[sz]e|create|"
    r"generate|make|suggest|provide|classify|identify|compare|rewrite|edit|design|discuss|analy[sz]e|show|prove|"
    r"determine|evaluate|please|help|i need|i want|let|consider|complete|answer|read|use|choose|select|return|"
    r"请|怎么|如何|什么|为什么|写|解释|翻译)\b",
    re.IGNORECASE,
)
_SYSTEM_START = re.compile(
    r"^\W*(system\s*:|you are\b|you're\b|you will be\b|your (task|role|job)\b|act as\b|你是)", re.I
)


@dataclass(frozen=True)
class Column:
    """One column of the sample. `cells` is aligned with the rows; a missing cell is None."""

    name: str
    cells: tuple[Any, ...]
    kind: Kind
    kinds: Mapping[Kind, int]
    position: int = 0
    messages: tuple[tuple[Message, ...] | None, ...] = field(default=(), repr=False)

    @cached_property
    def filled(self) -> list[Any]:
        return [cell for cell in self.cells if not is_empty(cell)]

    @property
    def empty_share(self) -> float:
        return 1 - len(self.filled) / len(self.cells) if self.cells else 1.0

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The cells as (clipped) text, "" where there is none; turns as their contents joined."""
        made = []
        for cell, turns in zip(self.cells, self.messages or (None,) * len(self.cells), strict=True):
            if turns is not None:
                made.append("\n".join(str(turn.get("content", "")) for turn in turns)[:_CLIP])
            elif isinstance(cell, str):
                made.append(cell[:_CLIP])
            elif isinstance(cell, list) and all(isinstance(item, str) for item in cell):
                made.append("\n".join(cell)[:_CLIP])
            elif isinstance(cell, bool) or cell is None or isinstance(cell, Mapping | list):
                made.append("")
            else:
                made.append(str(cell))
        return tuple(made)

    @cached_property
    def words(self) -> tuple[frozenset[str], ...]:
        return tuple(words_of(text) for text in self.texts)

    @cached_property
    def length(self) -> float:
        """Median characters of the filled cells."""
        lengths = [len(text) for text in self.texts if text.strip()]
        return float(median(lengths)) if lengths else 0.0

    @cached_property
    def word_count(self) -> float:
        counts = [size_in_words(text) for text in self.texts if text.strip()]
        return float(median(counts)) if counts else 0.0

    @cached_property
    def distinct(self) -> float:
        """Distinct filled values as a share of the filled cells; 1.0 = all differ."""
        filled = [text for text in self.texts if text.strip()] or [repr(cell) for cell in self.filled]
        return len(set(filled)) / len(filled) if filled else 0.0

    @cached_property
    def asking(self) -> float:
        """The share of texts that ask or order something."""
        found = [text.strip() for text in self.texts if text.strip()]
        if not found:
            return 0.0
        return sum(bool(text.endswith(("?", "？")) or _ASKING.match(text)) for text in found) / len(found)

    @cached_property
    def system_like(self) -> float:
        """The share of texts that read like a system prompt ("You are …")."""
        found = [text for text in self.texts if text.strip()]
        return sum(bool(_SYSTEM_START.match(text)) for text in found) / len(found) if found else 0.0

    @cached_property
    def templated(self) -> float:
        """The share of texts with the markers of a chat template in them."""
        found = [text for text in self.texts if text.strip()]
        return sum(bool(_TEMPLATE_MARKS.search(text)) for text in found) / len(found) if found else 0.0

    @property
    def is_category(self) -> bool:
        """A few short values that come again: a source, a language, a difficulty – nothing to train on."""
        if self.kind not in ("text", "id") or self.word_count > 4:
            return False
        return self.distinct <= 0.5 and len(self.filled) >= 4

    @cached_property
    def roles(self) -> frozenset[str]:
        """Roles that occur in turns, by their common names."""
        return frozenset(str(turn["role"]) for turns in self.messages if turns for turn in turns)

    @cached_property
    def answered(self) -> float:
        """The share of dialogues that hold an assistant turn after a user turn."""
        known = [turns for turns in self.messages if turns]
        if not known:
            return 0.0
        return sum(_is_answered(turns) for turns in known) / len(known)

    @cached_property
    def opens_with_assistant(self) -> float:
        known = [turns for turns in self.messages if turns]
        return sum(turns[0]["role"] == "assistant" for turns in known) / len(known) if known else 0.0

    @cached_property
    def values(self) -> frozenset[Any]:
        """The distinct plain values of a flag, number or category column; empty if there are many."""
        plain = {cell for cell in self.filled if isinstance(cell, str | int | float | bool)}
        return frozenset(plain) if len(plain) <= 12 and len(plain) < max(len(self.filled), 3) + 1 else frozenset()


@dataclass(frozen=True)
class Table:
    """A sample of rows as columns, in the dataset's order."""

    rows: tuple[Mapping[str, Any], ...]
    columns: Mapping[str, Column]

    def of_kind(self, *kinds: Kind) -> list[Column]:
        return [column for column in self.columns.values() if column.kind in kinds]


def table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """A `Table` of the first rows. Takes anything that is a mapping; never raises."""
    sample: list[Mapping[str, Any]] = []
    for row in rows:
        if isinstance(row, Mapping):
            sample.append({str(name): cell for name, cell in row.items()})
        if len(sample) >= SAMPLE:
            break
    names = list(dict.fromkeys(name for row in sample for name in row))
    columns = {name: _column(name, [row.get(name) for row in sample], index) for index, name in enumerate(names)}
    return Table(tuple(sample), columns)


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


def words_of(text: str) -> frozenset[str]:
    """The words of a text, lower case; of Chinese, Japanese and Korean the characters."""
    return frozenset([word.lower() for word in _WORD.findall(text)[:400]] + _CJK.findall(text)[:400])


def size_in_words(text: str) -> int:
    return len(text.split()) + len(_CJK.findall(text))


def overlap(one: Sequence[frozenset[str]], other: Sequence[frozenset[str]]) -> float:
    """Mean Jaccard overlap of two columns' words, over rows where both have some."""
    shares = [len(a & b) / len(a | b) for a, b in zip(one, other, strict=True) if a and b]
    return sum(shares) / len(shares) if shares else 0.0


def covered(part: Sequence[frozenset[str]], whole: Sequence[frozenset[str]]) -> float:
    """Mean share of `part`'s words that occur in `whole`, row by row."""
    shares = [len(a & b) / len(a) for a, b in zip(part, whole, strict=True) if a and b]
    return sum(shares) / len(shares) if shares else 0.0


def _column(name: str, cells: list[Any], position: int) -> Column:
    seen = [kind_of(cell) for cell in cells]
    kinds = Counter(kind for kind, _ in seen if kind != "empty")
    return Column(
        name=name,
        cells=tuple(cells),
        kind=_majority(kinds),
        kinds=dict(kinds),
        position=position,
        messages=tuple(turns for _, turns in seen) if any(turns is not None for _, turns in seen) else (),
    )


def _majority(kinds: Counter[Kind]) -> Kind:
    """The kind of most cells. Strings that look like ids or dates count as text when some of them do not."""
    if not kinds:
        return "empty"
    total = sum(kinds.values())
    for group, name in (
        (("text", "id", "date", "url", "transcript", "json"), "text"),
        (("text", "number"), "text"),
        (("turns", "texts"), "turns"),
    ):
        if kinds.get(name, 0) and sum(kinds[kind] for kind in group) == total:
            main, count = kinds.most_common(1)[0]
            return main if count >= 0.6 * total else name
    main, count = kinds.most_common(1)[0]
    return main if count >= 0.5 * total else "mixed"


def _kind_of_text(text: str) -> tuple[Kind, tuple[Message, ...] | None]:
    stripped = text.strip()
    if stripped[:1] in "[{" and stripped[-1:] in "]}":
        opened = _parsed(stripped)
        if not isinstance(opened, str):
            kind, turns = kind_of(opened)
            return (kind, turns) if kind in ("turns", "turn", "tools", "calls") else ("json", None)
        if stripped[0] == "{" and _are_tools([_parsed(part) for part in re.split(r"\n\s*\n", stripped)]):
            return "tools", None
    if _URL.match(stripped):
        return "url", None
    if _DATE.match(stripped):
        return "date", None
    if " " not in stripped and (_HEX.match(stripped) or (len(stripped) >= 6 and _CODE_WORD.match(stripped))):
        return ("id" if not _is_plain_number(stripped) else "text"), None
    try:
        dialogue = _transcript(stripped[: 50 * _CLIP])
    except (RowError, RecursionError):
        dialogue = None
    return ("transcript", tuple(dialogue)) if dialogue and _is_answered(dialogue) else ("text", None)


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
    texts = [key for key, value in item.items() if isinstance(value, str) and size_in_words(value) >= 1]
    numbers = [key for key, value in item.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    if not texts or not numbers:
        return None
    return str(max(texts, key=lambda key: len(item[key]))), str(numbers[0])


def _turns(cell: Any) -> tuple[Message, ...] | None:
    try:
        return tuple(_messages(cell))
    except (RowError, RecursionError, TypeError, ValueError, AttributeError):
        return None


def _is_answered(turns: Sequence[Message]) -> bool:
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
