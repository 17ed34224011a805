"""`Chart`: curves drawn by plotext, repainted only where cells changed.

Textual does not compare cells, so a chart that redraws whole sends tens of kilobytes a second. This widget keeps the
last cells, asks for a repaint of the spans that differ, and keeps its axes still while data arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from screens import show
from screens.theme import SERIES
from screens.widgets.cells import Cells, Curve, View, lay_out
from screens.widgets.paint import Piece, ink, segments
from workbench.runs.curves import domain, ticks


class Chart(Widget, can_focus=True):
    """A title line with the legend and last values, and the plot below it.

    `show_curves` may be called as often as one likes; nothing is sent when nothing changed.
    """

    DEFAULT_CSS = """
    Chart { height: 1fr; width: 1fr; min-height: 4; background: $background; }
    """

    def __init__(self, title: str, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.title = title
        self._empty = empty
        self._curves: tuple[Curve, ...] = ()
        self._end: float | None = None
        self._cells: Cells | None = None
        self._head: list[Piece] = []
        self._view: View | None = None

    def show_curves(self, curves: Sequence[Curve], *, end: float | None = None, title: str | None = None) -> None:
        """Draw these curves. `end`: where x will end (the run's last step), if known."""
        if title is not None:
            self.title = title
        self._curves = tuple(curves)
        self._end = end
        self._draw()

    def on_resize(self) -> None:
        self._cells = None
        self._draw()
        self.refresh()

    # --- drawing ------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        width, height = self.size.width, self.size.height - 1
        head = self._legend()
        if head != self._head:
            self._head = head
            self.refresh(Region(0, 0, self.size.width, 1))
        if width < 16 or height < 3:
            return
        filled = [curve for curve in self._curves if len(curve.x)]
        if not filled:
            if self._cells is not None or not self._head:
                self._cells = None
                self.refresh()
            return
        view = self._window(filled, height)
        marker = getattr(self.app, "chart_marker", "braille")
        cells = lay_out(self._curves, view, width, height, marker=marker)
        before, self._cells, self._view = self._cells, cells, view
        if before is None or len(before.chars) != len(cells.chars):
            self.refresh()
            return
        for y, (row, inks) in enumerate(zip(cells.chars, cells.inks, strict=True)):
            old, old_inks = before.chars[y], before.inks[y]
            if row == old and inks == old_inks:
                continue
            differ = [x for x in range(width) if row[x] != old[x] or inks[x] != old_inks[x]]
            for first, last in _spans(differ):
                self.refresh(Region(first, y + 1, last - first + 1, 1))

    def _window(self, curves: Sequence[Curve], height: int) -> View:
        """Axes that change seldom: x rounded up, y on round numbers and kept while it still fits well."""
        last = max(curve.x[-1] for curve in curves)
        values = [v for curve in curves for v in curve.y if v == v and abs(v) != float("inf")]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        x = (0.0, domain(last, self._end))
        if self._view is not None:
            old_low, old_high = self._view.y
            if old_low <= low and high <= old_high and (high - low) >= 0.45 * (old_high - old_low):
                return View(x, self._view.y)
        marks = ticks(low, high, max(1, (height - 2) // 3))
        return View(x, (marks[0], marks[-1]))

    def _legend(self) -> list[Piece]:
        pieces: list[Piece] = [(self.title, "bold")]
        for curve in self._curves:
            if len(curve.y):
                pieces.append(("   ", ""))
                pieces.append((("● " if curve.dots else "━ ") + curve.name + " ", SERIES[curve.colour % len(SERIES)]))
                pieces.append((show.number(curve.y[-1]), ""))
        return pieces

    # --- painting -----------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y == 0:
            return Strip(segments(self, self._head or [(self.title, "bold")], base, width), width)
        if self._cells is None or y - 1 >= len(self._cells.chars):
            text = self._empty if y == max(2, self.size.height // 2) else ""
            return Strip(segments(self, [(text.center(width) if text else "", "dim")], base, width), width)
        row, inks = self._cells.chars[y - 1], self._cells.inks[y - 1]
        made: list[Segment] = []
        start = 0
        for x in range(1, width + 1):
            if x == width or inks[x] != inks[start]:
                made.append(Segment("".join(row[start:x]), base + ink(self, self._ink(inks[start]))))
                start = x
        return Strip(made, width)

    def _ink(self, number: int) -> str:
        if number == 0 or number > len(self._curves):
            return "faint"
        return SERIES[self._curves[number - 1].colour % len(SERIES)]


def _spans(columns: list[int]) -> list[tuple[int, int]]:
    """Changed columns as a few runs; gaps up to 4 cells are cheaper sent than skipped."""
    spans: list[tuple[int, int]] = []
    start = columns[0]
    for a, b in pairwise([*columns, columns[-1] + 100]):
        if b - a > 4:
            spans.append((start, a))
            start = b
    return spans
