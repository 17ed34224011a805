"""Ink for line-drawn widgets: named styles by meaning, resolved against the theme once and kept.

A piece of a line is `(text, ink)`. Text from outside (repo names, logs, dataset cells) passes `clean` here, at the one
place where it becomes cells, so that an escape sequence in a model's name never reaches the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

if TYPE_CHECKING:
    from textual.widget import Widget

Piece = tuple[str, str]

# ink → (theme variable, bold, dim-towards-background share)
_INKS: dict[str, tuple[str, bool, float]] = {
    "": ("foreground", False, 0.0),
    "bold": ("foreground", True, 0.0),
    "dim": ("foreground", False, 0.42),
    "faint": ("foreground", False, 0.62),
    "good": ("success", False, 0.0),
    "warn": ("warning", False, 0.0),
    "bad": ("error", False, 0.0),
    "info": ("primary", False, 0.0),
    "accent": ("accent", False, 0.0),
    "accent-bold": ("accent", True, 0.0),
    "alt": ("secondary", False, 0.0),
    "title": ("primary", True, 0.0),
    "good-bold": ("success", True, 0.0),
    "bad-bold": ("error", True, 0.0),
    "warn-bold": ("warning", True, 0.0),
}

# C0 and C1 controls, DEL, line/paragraph separators, and the bidirectional overrides that can forge text.
_UNSAFE = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233, *range(8234, 8239)), "·")
_UNSAFE |= dict.fromkeys(range(8294, 8298), "·")
_UNSAFE[9] = " "
_UNSAFE[10] = " "
_UNSAFE[13] = " "


def clean(text: str) -> str:
    """`text` without anything a terminal would obey. One cell for each control, so widths stay countable."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSAFE)


def ink(widget: Widget, name: str) -> Style:
    """The style of an ink on this widget's theme; unknown names are taken as colours ("#6fa8f5")."""
    cache: dict[tuple[str, str], Style] = widget.app.__dict__.setdefault("_inks", {})
    key = (widget.app.theme, name)
    style = cache.get(key)
    if style is None:
        style = cache[key] = _resolve(widget, name)
    return style


def _resolve(widget: Widget, name: str) -> Style:
    if name.startswith("#"):
        return Style(color=Color.parse(name).rich_color)
    variable, bold, fade = _INKS.get(name, _INKS[""])
    variables = widget.app.theme_variables
    raw = variables.get(variable) or variables.get("foreground", "#ffffff")
    if raw.startswith("ansi_") or raw == "auto":
        # The terminal's own colours: nothing to blend, dim is an attribute there.
        own = None if raw in ("auto", "ansi_default") else Color.parse(raw).rich_color
        return Style(color=own, bold=bold or None, dim=True if fade else None)
    color = Color.parse(raw)
    if fade:
        color = color.blend(Color.parse(variables.get("background", "#000000")), fade)
    return Style(color=color.rich_color, bold=bold or None)


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` cells, with "…" where it was cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, max(0, width))


def cell(text: str, width: int, *, right: bool = False) -> str:
    """`text` cleaned, cut and padded to exactly `width` cells."""
    text = shorten(clean(text), width)
    gap = width - cell_len(text)
    return " " * gap + text if right else text + " " * gap


def segments(widget: Widget, pieces: Iterable[Piece], base: Style, width: int) -> list[Segment]:
    """Pieces as segments of exactly `width` cells over `base` (the widget's ground)."""
    made: list[Segment] = []
    left = width
    for text, name in pieces:
        if left <= 0:
            break
        text = clean(text)
        length = cell_len(text)
        if length > left:
            text = shorten(text, left)
            length = cell_len(text)
        if text:
            made.append(Segment(text, base + ink(widget, name)))
            left -= length
    if left > 0:
        made.append(Segment(" " * left, base))
    return made
