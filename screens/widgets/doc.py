"""`Doc`: styled text that wraps and scrolls – details, cards, examples, checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip

from screens.widgets.lines import Lines
from screens.widgets.paint import Piece, clean, segments

Line = Sequence[Piece]


class Para(list[Piece]):
    """A line whose continuation, when it wraps, starts `hang` cells in."""

    def __init__(self, pieces: Iterable[Piece], hang: int) -> None:
        super().__init__(pieces)
        self.hang = hang


class Doc(Lines):
    """Lines of pieces, wrapped to the width. Setting the same text again repaints nothing."""

    DEFAULT_CSS = """
    Doc { height: 1fr; width: 1fr; background: $background; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._wrapped: list[list[Piece]] = []
        self._width = -1

    def show(self, lines: Iterable[Line], *, to_top: bool = False) -> None:
        """Replace the text. `to_top` for a new thing; without it the reader stays where they are."""
        new: list[Line] = [line if isinstance(line, Para) else list(line) for line in lines]
        if to_top:
            self.top = 0
        if new == self._lines and not to_top:
            return
        self._lines = new
        before = self._wrapped
        self._wrap(self.room)
        if len(before) != len(self._wrapped) and self.styles.height is not None and self.styles.height.is_auto:
            self.refresh(layout=True)
        self.top = max(0, min(self.top, self.total() - self.page))
        if len(before) != len(self._wrapped) or to_top:
            self.refresh()
            return
        for index, (old, line) in enumerate(zip(before, self._wrapped, strict=True)):
            if old != line:
                self.refresh_row(index)

    def total(self) -> int:
        return len(self._wrapped)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the text takes at `width`, for `height: auto`."""
        return sum(len(wrap(line, max(1, width - 1))) for line in self._lines)

    @property
    def room(self) -> int:
        return max(0, self.content_size.width - 1)

    def on_resize(self) -> None:
        self._wrap(self.room)
        super().on_resize()
        self.refresh()

    def draw(self, index: int, width: int) -> list[Segment]:
        return segments(self, self._wrapped[index], self.rich_style, width)

    def render_line(self, y: int) -> Strip:
        # Lines fills `size`; inside padding the content is narrower.
        base, width = self.rich_style, self.content_size.width
        index = self.top + y
        row = self.draw(index, self.room) if index < self.total() else [Segment(" " * self.room, base)]
        return Strip([*row, self._mark(y, base)], width)

    def _wrap(self, width: int) -> None:
        self._width = width
        self._wrapped = [part for line in self._lines for part in wrap(line, max(1, width))]


def wrap(line: Line, width: int) -> list[list[Piece]]:
    """One line of pieces as lines of at most `width` cells, broken at spaces where there are any."""
    hang = line.hang if isinstance(line, Para) and line.hang < width - 8 else 0
    margin: list[Piece] = [(" " * hang, "")] if hang else []
    out: list[list[Piece]] = []
    current: list[Piece] = []
    used = 0
    for text, name in line:
        for word in _words(clean(text)):
            length = cell_len(word)
            if used + length > width and used > (hang if out else 0):
                if word.isspace():
                    continue
                out.append(current)
                current, used = list(margin), hang
            while used + length > width:  # a word longer than a line
                head, word = _split(word, width - used)
                out.append([*current, (head, name)])
                current, used = list(margin), hang
                length = cell_len(word)
            if word:
                if current and current[-1][1] == name:
                    current[-1] = (current[-1][0] + word, name)
                else:
                    current.append((word, name))
                used += length
    out.append(current)
    return out


def _words(text: str) -> list[str]:
    """Words and the runs of spaces between them, in order."""
    words: list[str] = []
    start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or (text[i] == " ") != (text[i - 1] == " "):
            words.append(text[start:i])
            start = i
    return words


def _split(word: str, width: int) -> tuple[str, str]:
    used = 0
    for i, character in enumerate(word):
        used += cell_len(character)
        if used > width:
            return word[: max(1, i)], word[max(1, i) :]
    return word, ""
