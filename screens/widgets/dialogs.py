"""Dialogs: a confirmation that names what it costs, a value to type, and the help of the focused pane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from screens.actions import Action, bindings, key_name
from screens.widgets.bars import Notice
from screens.widgets.doc import Doc, Line
from screens.widgets.paint import Piece


class Dialog(ModalScreen[Any]):
    """A box in the middle of the screen."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > Vertical {
        width: 76; max-width: 96%; height: auto; max-height: 94%;
        border: round $accent; background: $background; padding: 0 1; border-title-color: $accent;
    }
    Dialog Doc { height: auto; background: $background; padding: 0; }
    Dialog Input { border: none; height: 1; padding: 0; background: $panel; margin: 1 0; }
    """


class Confirm(Dialog):
    """Yes or no about something that costs or destroys. Only `y` says yes: an enter out of habit must not
    spend money.

    The result is True only for yes.
    """

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("dialog.yes", "y", "answer(True)", "Yes", "Do it.", footer=True),
        Action("dialog.no", "n,escape,q", "answer(False)", "No", "Do nothing.", footer=True),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, title: str, lines: Sequence[Line], *, yes: str, no: str = "No, go back") -> None:
        super().__init__()
        self._title, self._lines, self._yes, self._no = title, list(lines), yes, no

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            doc = Doc(id="confirm-text")
            doc.can_focus = False
            yield doc

    def on_mount(self) -> None:
        keys: list[Piece] = [
            ("y", "accent-bold"),
            (f" {self._yes}    ", "bold"),
            ("n", "accent-bold"),
            (f" {self._no}", ""),
        ]
        lines = [*self._lines, [("", "")], keys]
        self.query_one(Doc).show(lines)

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


class Value(Dialog):
    """One value to type. `check` returns a complaint or ""; the result is the text, or None if left."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("dialog.leave", "escape", "leave", "Leave", "Change nothing.", footer=True),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, title: str, value: str, *, hint: str = "", check: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._check = title, value, hint, check

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            field = Input(self._value, select_on_focus=True)
            field.cursor_blink = False
            yield field
            notice = Notice()
            yield notice

    def on_mount(self) -> None:
        if self._hint:
            self.query_one(Notice).tell(self._hint, "dim")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        complaint = self._check(event.value) if self._check else ""
        if complaint:
            self.query_one(Notice).tell(complaint)
        else:
            self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Help(Dialog):
    """What can be pressed here, and everywhere."""

    DEFAULT_CSS = """
    Help Doc { height: 1fr; }
    Help > Vertical { height: 90%; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("dialog.close", "escape,q,question_mark,f1", "close", "Close", "Close the help.", footer=True),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, title: str, about: str, groups: Sequence[tuple[str, Sequence[Action]]]) -> None:
        super().__init__()
        self._title, self._about, self._groups = title, about, groups

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            yield Doc(id="help-text")

    def on_mount(self) -> None:
        lines: list[Line] = [[(line, "")] for line in self._about.splitlines()]
        for name, actions in self._groups:
            lines += [[("", "")], [(name, "title")]]
            lines += [_action_line(action) for action in actions]
        lines += [[("", "")], [("esc closes this", "dim")]]
        doc = self.query_one(Doc)
        doc.show(lines)
        doc.focus()

    def action_close(self) -> None:
        self.dismiss(None)


def _action_line(action: Action) -> Line:
    keys = " ".join(key_name(key) for key in action.key.split(","))
    return [(f"{keys:<14}", "accent"), (action.help, "")]
