"""A chart as a grid of character cells, laid out by plotext.

plotext 5.3.2 rather than 6: 6 is a new API without a public figure constructor, with a compiled kernel that has no
wheels for musl or Intel Macs, and it imports in 0.21 s where 5.3 takes 0.04 s. We take its cell matrix instead of its
ANSI text: one pass fewer, and the colours stay ours (series numbers, resolved against the theme when painted).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.runs.curves import thin, ticks

AXIS = 0  # ink number of axes and labels; curve n has ink n + 1


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart. `dots` also marks each point (evals are few and matter singly)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0
    dots: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The window of a chart in data units."""

    x: tuple[float, float]
    y: tuple[float, float]
    log: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """`chars[row][col]` and the ink number of each cell, top row first."""

    chars: list[list[str]]
    inks: list[list[int]]


def label(value: float) -> str:
    """A tick label: 1500 → "1.5k", 0.00025 → "2.5e-4"."""
    magnitude = abs(value)
    if magnitude >= 10_000:
        return f"{value / 1e6:g}M" if magnitude >= 1e6 else f"{value / 1e3:g}k"
    if magnitude and magnitude < 0.001:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.6g}"


def lay_out(curves: Sequence[Curve], view: View, width: int, height: int, *, marker: str = "braille") -> Cells:
    """Draw curves into `width` × `height` cells.

    marker: plotext's name of the dot: "braille" (2×4 a cell), "hd" (2×2 blocks), or one character.
    """
    from plotext._figure import _figure_class

    figure = _figure_class()
    figure._limit_size(False, False)  # the terminal's size is not the chart's
    figure.plot_size(width, height)
    figure.theme("clear")
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    x_low, x_high = view.x
    y_low, y_high = (_log(view.y[0]), _log(view.y[1])) if view.log else view.y
    figure.xlim(x_low, x_high)
    figure.ylim(y_low, y_high)
    x_ticks = [t for t in ticks(x_low, x_high, max(1, width // 12)) if x_low <= t <= x_high]
    y_ticks = [t for t in ticks(y_low, y_high, max(1, (height - 2) // 3)) if y_low - 1e-12 <= t <= y_high + 1e-12]
    figure.xticks(x_ticks, [label(t) for t in x_ticks])
    # A constant label width keeps the plot area in place while values shrink from "10" to "9.5".
    figure.yticks(y_ticks, [label(10**t if view.log else t).rjust(6) for t in y_ticks])
    columns = max(1, width - 8) * (2 if len(marker) > 1 else 1)
    drawn = 0
    for number, curve in enumerate(curves):
        y = [_log(v) for v in curve.y] if view.log else curve.y
        xs, ys = thin(curve.x, y, columns)
        if not xs:
            continue
        drawn += 1
        figure.plot(xs, ys, marker=marker, color=number + 1)
        if curve.dots and len(xs) <= width:
            figure.scatter(xs, ys, marker="●" if marker != "*" else "o", color=number + 1)
    if not drawn:  # plotext draws no axes without data: a point outside the window brings them
        figure.scatter([x_low - 1], [y_low - 1], marker=" ", color=1)
    figure._set_sizes()
    figure._build_matrix()
    matrix = figure.monitor.matrix
    chars = [list(row) for row in reversed(matrix.marker)]
    inks = [[ink if isinstance(ink, int) else AXIS for ink in row] for row in reversed(matrix.fullground)]
    return Cells(chars, inks)


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan
