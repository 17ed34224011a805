"""The status bar on top, the footer below, and the notice in place: one line each, drawn whole."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from screens import show
from screens.actions import key_name
from screens.widgets.paint import Piece, clean, ink, segments

PLACES = (("1", "Models"), ("2", "Datasets"), ("3", "Plan"), ("4", "Jobs"), ("5", "Runs"))


@dataclass(frozen=True)
class Status:
    """What the status bar tells. Money in US dollars; `month_cap` 0 = none."""

    place: str = "models"
    account: str = ""
    where: str = ""
    running: int = 0
    usd_per_hour: float = 0.0
    month_usd: float = 0.0
    month_cap: float = 0.0
    billed: bool = True


class _Bar(Widget):
    """One line of pieces; `spots` remembers which cells do what when clicked."""

    DEFAULT_CSS = """
    _Bar { height: 1; width: 1fr; background: $panel; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._spots: list[tuple[int, int, str]] = []

    def pieces(self, width: int) -> list[Piece]:
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        self._spots = []
        return Strip(segments(self, self.pieces(width), self.rich_style, width), width)

    async def on_click(self, event: events.Click) -> None:
        for start, end, action in self._spots:
            if start <= event.x < end:
                event.stop()
                await self.app.run_action(action)


class StatusBar(_Bar):
    """Places on the left; account, running jobs, burn rate and spending on the right."""

    def __init__(self) -> None:
        super().__init__(id="status")
        self.status = Status()

    def show_status(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self.refresh()

    def pieces(self, width: int) -> list[Piece]:
        status = self.status
        left: list[Piece] = [(" ", "")]
        at = 1
        for key, name in PLACES:
            here = name.lower() == status.place
            left += [(key, "accent-bold" if here else "dim"), (f" {name}  ", "bold" if here else "dim")]
            self._spots.append((at, at + len(name) + 2, f"app.place('{name.lower()}')"))
            at += len(name) + 4
        right = self._right(width - at)
        used = sum(cell_len(text) for text, _ in right)
        return [*left, (" " * max(0, width - at - used), ""), *right]

    def _right(self, room: int) -> list[Piece]:
        """As much as there is room for, the most important last to go."""
        status = self.status
        parts: list[list[Piece]] = []
        if status.running:
            rate = f" {show.usd(status.usd_per_hour)}/h" if status.billed else ""
            parts.append([(f"● {status.running} running{rate}", "info")])
        if status.billed:
            cap = f" of {show.usd(status.month_cap)}" if status.month_cap else ""
            over = bool(status.month_cap) and status.month_usd >= status.month_cap
            parts.append([(f"month {show.usd(status.month_usd)}{cap}", "bad" if over else "accent")])
        else:
            parts.append([("nothing is billed", "good")])
        if status.account:
            parts.append([(status.account, ""), (f" @ {status.where}", "dim")])
        else:
            parts.append([("not signed in", "warn"), (f" @ {status.where}", "dim")])
        while parts:
            line: list[Piece] = []
            for i, part in enumerate(parts):
                line += ([(" · ", "faint")] if i else []) + part
            line.append((" ", ""))
            if sum(cell_len(text) for text, _ in line) <= room:
                return line
            parts.pop()
        return []


class Keys(_Bar):
    """The footer: what can be pressed here, at most eight keys; the rest is behind `?`."""

    MOST = 8

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def pieces(self, width: int) -> list[Piece]:
        shown: list[tuple[str, str, str]] = []
        for key, active in self.screen.active_bindings.items():
            binding = active.binding
            if not binding.show or any(label == binding.description for _, label, _ in shown):
                continue
            shown.append((key_name(key), binding.description, key))
        shown = [*shown[: self.MOST - 1]]
        pieces: list[Piece] = [(" ", "")]
        at = 1
        help_room = 7
        for name, label, key in shown:
            length = cell_len(name) + cell_len(label) + 3
            if at + length > width - help_room:
                break
            pieces += [(name, "accent"), (f" {label}  ", "")]
            self._spots.append((at, at + length - 2, f"app.simulate_key('{key}')"))
            at += length
        pieces += [("?", "accent"), (" help", "")]
        self._spots.append((at, at + 6, "app.help"))
        return pieces


class Notice(Widget):
    """A sentence in place: an error with its mend, or what is being waited for. Takes no room when there is none."""

    DEFAULT_CSS = """
    Notice { height: auto; width: 1fr; background: $background; padding: 0 1; display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = ""
        self._ink = "bad"

    def tell(self, text: str, name: str = "bad") -> None:
        """Show a sentence; "" clears it."""
        if (text, name) == (self._text, self._ink):
            return
        self._text, self._ink = text, name
        self.display = bool(text)
        self.refresh(layout=True)

    @property
    def text(self) -> str:
        return self._text

    def render(self) -> Text:
        return Text(clean(self._text), style=ink(self, self._ink))
