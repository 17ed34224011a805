"""`Grid`: a table of any length with a cursor and marks, drawn line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.message import Message
from textual.strip import Strip

from screens.actions import Action, bindings
from screens.widgets.lines import Lines
from screens.widgets.paint import Piece, cell, segments

Cell = str | Piece | tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `width` in cells, 0 = the rest; `keep` = the narrowest grid (cells) that still shows it."""

    title: str
    width: int = 0
    right: bool = False
    keep: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row. `key` says which thing it is, so that the cursor stays on it while rows come and go.

    A `heading` only separates: the cursor steps over it.
    """

    key: str
    cells: tuple[Cell, ...]
    heading: bool = False


class Grid(Lines):
    """Columns, a cursor, marks. Asks for more rows when the cursor nears the end.

    `empty` is shown instead of rows when there are none: what to do next, never just nothing. What enter does is the
    pane's to say: it binds the key and calls `action_choose`, or acts on `key` itself.
    """

    HEAD = 1
    DEFAULT_CSS = """
    Grid { height: 1fr; width: 1fr; background: $background; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("list.mark", "space", "mark", "Mark", "Mark the row for an action on several."),
    )
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Highlighted(Message):
        """The cursor is on another row (or on another thing at the same row)."""

        grid: Grid
        key: str

        @property
        def control(self) -> Grid:
            return self.grid

    @dataclass
    class Chosen(Message):
        grid: Grid
        key: str

        @property
        def control(self) -> Grid:
            return self.grid

    @dataclass
    class NearEnd(Message):
        """The last rows are in view: a longer list may be fetched."""

        grid: Grid

        @property
        def control(self) -> Grid:
            return self.grid

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        marks: bool = False,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.rows: Sequence[Row] = ()
        self.cursor = 0
        self.marked: set[str] = set()
        self._marks = marks
        self._empty = empty
        self._told = ""

    # --- content ------------------------------------------------------------------------------------------------

    def total(self) -> int:
        return len(self.rows)

    @property
    def key(self) -> str:
        """The key under the cursor, "" in an empty grid."""
        return self.rows[self.cursor].key if self.cursor < len(self.rows) else ""

    def set_rows(self, rows: Sequence[Row], *, to_top: bool = False) -> None:
        """Replace the rows. The cursor stays on the thing it was on; only rows that differ are repainted."""
        old, key, old_top = self.rows, self.key, self.top
        self.rows = rows
        if to_top:
            self.cursor = self.top = 0
        elif key and (self.cursor >= len(rows) or rows[self.cursor].key != key):
            self.cursor = next((i for i, row in enumerate(rows) if row.key == key), min(self.cursor, len(rows) - 1))
        self.cursor = self._off_heading(max(0, min(self.cursor, len(rows) - 1)), 1)
        if self.cursor > 1 or self.top:
            self.show_row(self.cursor)
        self.scroll_rows(self.top)
        if to_top or self.top != old_top or len(old) != len(rows):
            self.refresh()
        else:
            for index in range(self.top, min(len(rows), self.top + self.page)):
                if rows[index] != old[index]:
                    self.refresh_row(index)
        self._tell()

    def set_empty(self, text: str) -> None:
        """What an empty grid says."""
        if text != self._empty:
            self._empty = text
            if not self.rows:
                self.refresh()

    def select(self, key: str) -> bool:
        """Put the cursor on a key; False if it is not there."""
        for index, row in enumerate(self.rows):
            if row.key == key:
                self._go(index)
                return True
        return False

    # --- painting -----------------------------------------------------------------------------------------------

    def _widths(self, width: int) -> list[tuple[int, Column, int]]:
        """(position in the row, column, cells) of the columns that are shown at this width."""
        shown = [(i, column) for i, column in enumerate(self.columns) if width >= column.keep]
        fixed = sum(column.width for _, column in shown) + len(shown) - 1 + 2
        flexible = [column for _, column in shown if not column.width]
        spare = max(0, width - fixed)
        share, extra = divmod(spare, max(1, len(flexible)))
        result = []
        for i, column in shown:
            cells = column.width
            if not cells:
                cells, extra = share + (1 if extra else 0), max(0, extra - 1)
            result.append((i, column, cells))
        return result

    def draw_head(self, y: int, width: int) -> list[Segment]:
        pieces: list[Piece] = [("  ", "dim")]
        for _, column, cells in self._widths(width - 1):
            pieces.append((cell(column.title, cells, right=column.right) + " ", "dim"))
        return segments(self, pieces, self.rich_style, width)

    def draw(self, index: int, width: int) -> list[Segment]:
        row = self.rows[index]
        here = index == self.cursor
        base = self._ground(here)
        marked = row.key in self.marked
        pieces: list[Piece] = [("▌" if here else " ", "accent" if self.has_focus else "faint")]
        pieces.append(("●" if marked else " ", "accent"))
        for at, column, cells in self._widths(width):
            value = row.cells[at] if at < len(row.cells) else ""
            pieces.extend(_pieces(value, cells, column.right))
            pieces.append((" ", ""))
        return segments(self, pieces, base, width)

    def _ground(self, here: bool) -> Style:
        base = self.rich_style
        if not here:
            return base
        raw = self.app.theme_variables.get("panel", "")
        if not raw or raw.startswith("ansi"):
            return base + Style(reverse=True) if self.has_focus else base
        return base + Style(bgcolor=Color.parse(raw).rich_color, bold=self.has_focus or None)

    def render_line(self, y: int) -> Strip:
        if not self.rows and y == self.HEAD + 1 and self._empty:
            pieces = [("  " + self._empty, "dim")]
            return Strip(segments(self, pieces, self.rich_style, self.size.width), self.size.width)
        return super().render_line(y)

    # --- moving -------------------------------------------------------------------------------------------------

    def _go(self, index: int) -> None:
        index = self._off_heading(max(0, min(index, len(self.rows) - 1)), 1 if index >= self.cursor else -1)
        if index != self.cursor:
            before, self.cursor = self.cursor, index
            self.refresh_row(before)
            self.refresh_row(index)
        self.show_row(0 if index and all(row.heading for row in self.rows[:index]) else index)
        self._tell()
        if len(self.rows) - index <= max(5, self.page):
            self.post_message(self.NearEnd(self))

    def _off_heading(self, index: int, by: int) -> int:
        """The nearest row that is no heading, first in the direction of travel."""
        for step in (by, -by):
            at = index
            while 0 <= at < len(self.rows) and self.rows[at].heading:
                at += step
            if 0 <= at < len(self.rows):
                return at
        return index

    def _tell(self) -> None:
        if self.key != self._told:
            self._told = self.key
            self.post_message(self.Highlighted(self, self.key))

    def _by(self, rows: int) -> None:
        self._go(self.cursor + rows)

    def action_choose(self) -> None:
        if self.key:
            self.post_message(self.Chosen(self, self.key))

    def action_mark(self) -> None:
        if self._marks and self.key:
            self.marked ^= {self.key}
            self.refresh_row(self.cursor)
            self._go(self.cursor + 1)

    def clear_marks(self) -> None:
        if self.marked:
            self.marked = set()
            self.refresh()

    def on_focus(self) -> None:
        self.refresh_row(self.cursor)

    def on_blur(self) -> None:
        self.refresh_row(self.cursor)

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - self.HEAD
        if event.y < self.HEAD or index >= len(self.rows):
            return
        again = index == self.cursor and event.chain > 1
        self._go(index)
        if again:
            self.action_choose()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(self.top + 3)
        if self.top + self.page >= len(self.rows) - 3:
            self.post_message(self.NearEnd(self))


def _pieces(value: Cell, width: int, right: bool) -> list[Piece]:
    """A cell's pieces, cut and padded to `width` together."""
    if isinstance(value, str):
        return [(cell(value, width, right=right), "")]
    if value and isinstance(value[0], str):
        text, name = value
        return [(cell(str(text), width, right=right), str(name))]
    pieces: list[Piece] = []
    left = width
    for text, name in value:
        shown = cell(text, min(left, len(text)))
        pieces.append((shown, name))
        left -= len(text)
        if left <= 0:
            break
    if left > 0:
        pieces.insert(0, (" " * left, "")) if right else pieces.append((" " * left, ""))
    return pieces
