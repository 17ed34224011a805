"""The workbench's own themes. Colours have meanings, the same on every screen:

accent = where you are and money · primary = running, informative · success = fits, done · warning = tight, look here ·
error = no, failed. Everything else is foreground or a dimmer shade of it.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="workbench-dark",
    primary="#6fa8f5",
    secondary="#b79af0",
    accent="#f2b84b",
    foreground="#d6dbe4",
    background="#0f1218",
    surface="#151a22",
    panel="#1d2430",
    success="#7fce8c",
    warning="#e8a95c",
    error="#ee6d76",
    dark=True,
    variables={"border": "#2a3342", "border-blurred": "#2a3342", "scrollbar": "#2a3342"},
)

LIGHT = Theme(
    name="workbench-light",
    primary="#2563b8",
    secondary="#7a4fc4",
    accent="#a45f00",
    foreground="#22272f",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5dd",
    success="#2b7a3d",
    warning="#9a5a00",
    error="#b3262e",
    dark=False,
    variables={"border": "#c9c4b8", "border-blurred": "#c9c4b8", "scrollbar": "#c9c4b8"},
)

THEMES = (DARK, LIGHT)

# Curves, in order; told apart on dark and light grounds and by people who see red and green alike.
SERIES = ("#6fa8f5", "#f2b84b", "#7fce8c", "#d98bd6", "#5fc9c4", "#ee8a6d", "#a8b545", "#9aa4ff")
