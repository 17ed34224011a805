"""What the terminal can do, and how the screens bear it: without UTF-8 everything is drawn in ASCII.

A filter over the finished lines, so that no widget has to know.
"""

from __future__ import annotations

import codecs
import locale
import os
import sys
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

# The smallest terminal in which every place can be used.
LEAST = (78, 20)

_ASCII = {
    "│": "|", "┃": "|", "║": "|", "─": "-", "━": "=", "═": "=", "┼": "+", "┤": "+", "├": "+", "┬": "+", "┴": "+",
    "┌": "+", "┐": "+", "└": "+", "┘": "+", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "▌": ">", "▐": "|", "█": "#",
    "░": ".", "▒": ":", "▓": "#", "●": "*", "○": "o", "✓": "v", "✗": "x", "…": "~", "–": "-", "—": "-", "→": ">",
    "←": "<", "↑": "^", "↓": "v", "·": ".", "×": "x", "▸": ">", "⏎": "$", "▔": "-", "▁": "_", "▎": "|", "▊": "|",
    "“": '"', "”": '"', "‘": "'", "’": "'", "½": "/", "√": "V", "▄": "_", "▀": "^", "▲": "^", "▼": "v", "⭘": "O",
}  # fmt: skip


def speaks_utf8() -> bool:
    """Whether what we write reaches the terminal as UTF-8."""
    if os.environ.get("WORKBENCH_ASCII"):
        return False
    for name in (getattr(sys.__stdout__, "encoding", None), locale.getpreferredencoding(False)):
        try:
            if name and codecs.lookup(name).name != "utf-8":
                return False
        except LookupError:
            return False
    return True


def to_ascii(text: str) -> str:
    """`text` in as many cells, without anything beyond ASCII; wide characters become two question marks."""
    if text.isascii():
        return text
    from rich.cells import cell_len

    out = []
    for character in text:
        if character.isascii():
            out.append(character)
        elif character in _ASCII:
            out.append(_ASCII[character])
        elif "\u2800" <= character <= "\u28ff":  # braille dots: a curve
            out.append(" " if character == "\u2800" else "*")
        else:
            out.append("?" * cell_len(character))
    return "".join(out)


class AsciiFilter(LineFilter):
    """Applied to every line the app draws."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]
