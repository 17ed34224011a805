"""`Lines`: the virtual list under every grid and log. It draws only the lines in view and repaints only what changed.

Textual's DataTable keeps every row as objects and settles for seconds at 10,000 rows; this widget holds an offset and
asks for the lines it shows, so its cost does not depend on the length.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from screens.actions import MOVES, bindings
from screens.widgets.paint import ink


class Lines(Widget, can_focus=True):
    """A scrolling list of one-line rows below an optional fixed head. Subclasses give `total` and `draw`.

    `top` is the first row in view. A thin mark in the last column shows the position when not everything fits.
    """

    BINDINGS = bindings(MOVES)
    HEAD = 0  # lines that stay on top

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.top = 0

    # --- for subclasses -----------------------------------------------------------------------------------------

    def total(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def draw(self, index: int, width: int) -> list[Segment]:
        """Row `index` as segments of exactly `width` cells."""
        raise NotImplementedError

    def draw_head(self, y: int, width: int) -> list[Segment]:
        """Head line `y`."""
        return [Segment(" " * width, self.rich_style)]

    def moved(self) -> None:
        """Called after `top` changed by the user."""

    # --- geometry -----------------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """Rows in view."""
        return max(0, self.size.height - self.HEAD)

    @property
    def room(self) -> int:
        """Cells a row may use: the last column belongs to the position mark."""
        return max(0, self.size.width - 1)

    def scroll_rows(self, to: int) -> None:
        """Show row `to` first, as far as there are rows."""
        to = max(0, min(to, self.total() - self.page))
        if to != self.top:
            self.top = to
            self.refresh()

    def show_row(self, index: int) -> None:
        """Scroll just enough to have row `index` in view."""
        if index < self.top:
            self.scroll_rows(index)
        elif index >= self.top + self.page:
            self.scroll_rows(index - self.page + 1)

    def refresh_row(self, index: int) -> None:
        """Repaint one row, if it is in view."""
        y = index - self.top + self.HEAD
        if self.HEAD <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # --- painting -----------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if width <= 0:
            return Strip.blank(0)
        if y < self.HEAD:
            return Strip(self.draw_head(y, width), width)
        index = self.top + y - self.HEAD
        row = self.draw(index, self.room) if index < self.total() else [Segment(" " * self.room, base)]
        return Strip([*row, self._mark(y - self.HEAD, base)], width)

    def _mark(self, y: int, base: Style) -> Segment:
        total, page = self.total(), self.page
        if total <= page or page <= 0:
            return Segment(" ", base)
        length = max(1, page * page // total)
        start = (page - length) * self.top // max(1, total - page)
        here = start <= y < start + length
        return Segment("▐" if here else " ", base + ink(self, "faint"))

    # --- moving -------------------------------------------------------------------------------------------------

    def _by(self, rows: int) -> None:
        self.scroll_rows(self.top + rows)
        self.moved()

    def action_cursor_down(self) -> None:
        self._by(1)

    def action_cursor_up(self) -> None:
        self._by(-1)

    def action_cursor_top(self) -> None:
        self._by(-self.total())

    def action_cursor_end(self) -> None:
        self._by(self.total())

    def action_half_down(self) -> None:
        self._by(max(1, self.page // 2))

    def action_half_up(self) -> None:
        self._by(-max(1, self.page // 2))

    def action_page_down(self) -> None:
        self._by(max(1, self.page))

    def action_page_up(self) -> None:
        self._by(-max(1, self.page))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(self.top + 3)
        self.moved()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(self.top - 3)
        self.moved()

    def on_resize(self) -> None:
        self.scroll_rows(self.top)
