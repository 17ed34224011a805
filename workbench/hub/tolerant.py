"""Reading rows from text that may be damaged: a bad line costs that line, never the file.

Every reader yields rows (dicts) and, where something is wrong, a `Broken` with the line's number and the reason.
Memory stays bounded whatever the file: by the longest line allowed.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# Bytes; a longer line is skipped and reported.
LONGEST_LINE = 16_000_000
# A quoted CSV cell may span lines, but one that goes on this long was never closed.
_CSV_LINES_A_ROW = 500
_CSV_CHARS_A_ROW = 1_000_000
_SHOWN = 3
_LOOK_AHEAD = 2000
LEFT_OUT = ". Broken lines are left out, the rest is usable."

Line = tuple[int, str | None]
Row = dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """A line (counted from 1) that is no row."""

    line: int
    why: str


def json_lines(lines: Iterable[Line]) -> Iterator[Row | Broken]:
    """JSON Lines: one object a line. Empty lines are passed over."""
    for number, text in lines:
        if text is None:
            yield Broken(number, f"is longer than {LONGEST_LINE // 1_000_000} MB")
            continue
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except RecursionError:
            yield Broken(number, "is nested too deeply")
        except ValueError as error:
            yield Broken(number, f"is not valid JSON ({_reason(error)})")
        else:
            yield value if isinstance(value, dict) else Broken(number, "is no JSON object")


def json_array(text: str) -> Iterator[Row | Broken]:
    """One JSON document: a list of objects, or an object with one list of objects in it, read item by item.

    So a document that breaks off in the middle (a cut download) still gives the rows before the break.
    """
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if text[at : at + 1] == "{":
        found = _list_inside(text, at)
        if found is None:
            yield from json_lines(enumerate(text.split("\n"), 1))
            return
        at = found
    if text[at : at + 1] != "[":
        yield Broken(1, "is neither a JSON list nor JSON lines")
        return
    at = _skip(text, at + 1)
    while at < len(text) and text[at] != "]":
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield Broken(text.count("\n", 0, at) + 1, f"is not valid JSON ({_reason(error)})")
            return
        yield value if isinstance(value, dict) else Broken(text.count("\n", 0, at) + 1, "is no JSON object")
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
    if at >= len(text):
        yield Broken(text.count("\n") + 1, "the list is never closed")


def csv_rows(lines: Iterable[Line], *, delimiter: str = "") -> Iterator[Row | Broken]:
    """CSV with a header. A row with the wrong number of cells, or a quote never closed, costs one line."""
    records = _csv_records(lines)
    header: list[str] | None = None
    for number, text in records:
        if text is None:
            yield Broken(number, "opens a quote that is never closed, or is too long")
            continue
        if not text.strip():
            continue
        delimiter = delimiter or _delimiter(text)
        try:
            cells = next(csv.reader([text], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            yield Broken(number, f"is not valid CSV ({error})")
            continue
        if header is None:
            header = [name.strip() or f"column_{index}" for index, name in enumerate(cells, 1)]
        elif len(cells) != len(header):
            yield Broken(number, f"has {len(cells)} cells where the header has {len(header)}")
        else:
            yield dict(zip(header, cells, strict=True))


def typed(rows: list[Row]) -> list[Row]:
    """CSV cells as numbers and booleans where a whole column reads so; an empty cell is None."""
    names = list(rows[0]) if rows else []
    for name in names:
        cells = [row[name] for row in rows if row[name] != ""]
        convert = next((kind for kind in (_as_bool, int, float) if cells and _all(kind, cells)), None)
        for row in rows:
            row[name] = None if row[name] == "" else (convert(row[name]) if convert else row[name])
    return rows


def take(items: Iterable[Row | Broken], offset: int, limit: int, *, where: str) -> tuple[list[Row], str, bool]:
    """(rows [offset, offset + limit), a sentence on the broken lines met, whether the end was reached).

    Some lines beyond the page are looked at too: a training would stumble over a broken line there as well.
    """
    rows: list[Row] = []
    broken: list[Broken] = []
    count = 0
    for item in items:
        if isinstance(item, Broken):
            broken.append(item)
            continue
        if count >= offset + limit + _LOOK_AHEAD:
            return rows, sentence(broken, where), False
        if offset <= count < offset + limit:
            rows.append(item)
        count += 1
    return rows, sentence(broken, where), True


def sentence(broken: list[Broken], where: str) -> str:
    """What to tell about broken lines: file and line, the first few of them."""
    if not broken:
        return ""
    shown = "; ".join(f"line {item.line} {item.why}" for item in broken[:_SHOWN])
    more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    return f"{where}: {shown}{more}{LEFT_OUT}"


def _csv_records(lines: Iterable[Line]) -> Iterator[Line]:
    """Physical lines joined into records, by their quotes. (first line's number, text | None if unclosed)"""
    pending: deque[Line] = deque()  # lines of a broken record that get their own chance
    waiting: list[tuple[int, str]] = []
    quotes = size = 0
    source = iter(lines)
    while True:
        line = pending.popleft() if pending else next(source, None)
        unclosed = line is None or line[1] is None
        if line is not None and line[1] is not None:
            waiting.append((line[0], line[1]))
            quotes += line[1].count('"')
            size += len(line[1])
            if quotes % 2 == 0:
                yield waiting[0][0], "\n".join(text for _, text in waiting).rstrip("\r")
                waiting, quotes, size = [], 0, 0
            else:
                unclosed = len(waiting) > _CSV_LINES_A_ROW or size > _CSV_CHARS_A_ROW
        if waiting and unclosed:
            yield waiting[0][0], None
            if line is None or line[1] is None:
                pending.extendleft([] if line is None else [line])
            pending.extendleft(reversed(waiting[1:]))
            waiting, quotes, size = [], 0, 0
        elif line is None:
            return
        elif line[1] is None:
            yield line


def _delimiter(header: str) -> str:
    return max((",", "\t", ";", "|"), key=header.count)


def _as_bool(cell: str) -> bool:
    return {"true": True, "false": False}[cell.strip().lower()]


def _all(kind: Any, cells: list[str]) -> bool:
    try:
        for cell in cells:
            kind(cell)
    except (ValueError, KeyError, OverflowError):
        return False
    return True


def _reason(error: BaseException) -> str:
    return getattr(error, "msg", None) or str(error) or type(error).__name__


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n\ufeff":
        at += 1
    return at


def _list_inside(text: str, at: int) -> int | None:
    """Where the one list of objects in a single JSON object begins, e.g. {"data": [{…}]}."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    if _skip(text, end) < len(text):  # more follows: JSON lines
        return None
    lists = [key for key, inner in value.items() if isinstance(inner, list) and inner and isinstance(inner[0], dict)]
    if len(lists) != 1:
        return None
    start = text.find("[", text.find(json.dumps(lists[0], ensure_ascii=False), at))
    return start if start >= 0 else None
