"""`LogView`: a job's log, however long, opened at its end and following while it grows.

The lines stay in the ledger's file; this widget holds a few blocks of them. Event lines of our own scripts are told
in words instead of JSON.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Region

from screens import show
from screens.actions import Action, bindings
from screens.widgets.lines import Lines
from screens.widgets.paint import Piece, segments
from workbench.hub.records import LogLine
from workbench.runs.events import Event, parse_event

_BLOCK = 128
_BLOCKS_KEPT = 16

Source = Callable[[int, int], Sequence[LogLine]]


class LogView(Lines):
    """Shows lines from a source `(start, count) → lines`. `f` follows the end; moving up stops following."""

    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; min-height: 3; background: $background; }
    """
    HEAD = 1
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("log.follow", "f", "follow", "Follow", "Stay at the end of the log while it grows."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._source: Source | None = None
        self._count = 0
        self._blocks: OrderedDict[int, Sequence[LogLine]] = OrderedDict()
        self.following = True

    def open(self, source: Source, count: int) -> None:
        """Show a log of `count` lines, at its end."""
        self._source, self._count = source, count
        self._blocks.clear()
        self.following = True
        self.top = max(0, count - self.page)
        self.refresh()

    def grow(self, count: int) -> None:
        """The log has `count` lines now."""
        if count == self._count:
            return
        before, self._count = self._count, count
        self._blocks.pop(before // _BLOCK, None)  # the block that was not full has more lines now
        if self.following:
            self.top = max(0, count - self.page)
            self.refresh()
        else:
            for index in range(max(before, self.top), min(count, self.top + self.page)):
                self.refresh_row(index)
            self.refresh_row(self.top - self.HEAD)

    def total(self) -> int:
        return self._count

    def line(self, index: int) -> LogLine | None:
        block = index // _BLOCK
        lines = self._blocks.get(block)
        if lines is None:
            if self._source is None:
                return None
            lines = self._blocks[block] = self._source(block * _BLOCK, _BLOCK)
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        at = index - block * _BLOCK
        return lines[at] if at < len(lines) else None

    # --- painting -----------------------------------------------------------------------------------------------

    def draw_head(self, y: int, width: int) -> list[Segment]:
        state = "following" if self.following else f"line {self.top + 1:,}"
        pieces: list[Piece] = [("Log", "bold"), (f"   {self._count:,} lines   ", "dim"), (state, "info")]
        if not self.following:
            pieces.append(("   f follows the end", "dim"))
        return segments(self, pieces, self.rich_style, width)

    def draw(self, index: int, width: int) -> list[Segment]:
        line = self.line(index)
        if line is None:
            return segments(self, [], self.rich_style, width)
        stamp = datetime.fromtimestamp(line.at).strftime("%H:%M:%S ") if line.at else ""
        return segments(self, [(stamp, "faint"), *tell(line.text)], self.rich_style, width)

    # --- moving -------------------------------------------------------------------------------------------------

    def moved(self) -> None:
        at_end = self.top >= self.total() - self.page
        if at_end != self.following:
            self.following = at_end
            self.refresh_row(self.top - self.HEAD)

    def refresh_row(self, index: int) -> None:
        super().refresh_row(index)
        if index < self.top:  # the head carries the count and the state
            self.refresh(Region(0, 0, self.size.width, 1))

    def action_follow(self) -> None:
        self.following = True
        self.top = max(0, self._count - self.page)
        self.refresh()


def tell(text: str) -> list[Piece]:
    """A log line in inks; an event line in words."""
    event = parse_event(text)
    if event is not None:
        return _tell_event(event)
    text = text.rsplit("\r", 1)[-1] if "\r" in text.rstrip("\r") else text
    lower = text.lower()
    if "error" in lower or "traceback" in lower:
        return [(text, "bad")]
    if "warning" in lower:
        return [(text, "warn")]
    if text.startswith("====="):
        return [(text, "dim")]
    return [(text, "")]


def _tell_event(event: Event) -> list[Piece]:
    fields = event.fields
    if event.kind == "step":
        most = fields.get("max_steps")
        of = f"/{most}" if most else ""
        pieces: list[Piece] = [(f"step {fields.get('step', '?')}{of}", "info"), ("  loss ", "dim")]
        pieces.append((_number(fields.get("loss")), "bold"))
        for key, name in (("lr", "lr"), ("grad_norm", "grad"), ("tokens_per_s", "tok/s")):
            if fields.get(key) is not None:
                pieces += [(f"  {name} ", "dim"), (_number(fields[key]), "")]
        return pieces
    if event.kind == "eval":
        return [(f"eval at step {fields.get('step', '?')}", "accent"), ("  loss ", "dim"),
                (_number(fields.get("loss")), "bold")]  # fmt: skip
    if event.kind == "phase":
        return [(f"── {fields.get('name', '?')} ──", "title")]
    if event.kind == "sample":
        return [("sample ", "alt"), (_cut(str(fields.get("prompt", "")), 28), "dim"), (" → ", "alt"),
                (str(fields.get("text", "")), "")]  # fmt: skip
    if event.kind == "pushed":
        return [(f"pushed to {fields.get('repo', '?')}", "good-bold")]
    if event.kind == "saved":
        return [(f"saved at step {fields.get('step', '?')}", "good")]
    if event.kind == "done":
        return [(f"done after {show.duration(_float(fields.get('seconds')))}", "good-bold")]
    if event.kind == "failed":
        return [
            (f"failed: {str(fields.get('cause', '?')).rstrip('.')}. ", "bad-bold"),
            (str(fields.get("mend", "")), "warn"),
        ]
    if event.kind == "notice":
        return [(str(fields.get("text", "")), "warn" if fields.get("level") == "warning" else "dim")]
    packages = fields.get("packages")
    told = ", ".join(f"{k} {v}" for k, v in packages.items()) if isinstance(packages, dict) else ""
    return [(f"{fields.get('engine', '?')} on {fields.get('device', '?')}  ", "info"), (told, "dim")]


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _number(value: object) -> str:
    return show.number(float(value)) if isinstance(value, int | float) else str(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
