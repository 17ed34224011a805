"""One action, one definition: it feeds the key, the footer, the palette, the help and the user's key map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Action:
    """Something a user can do.

    Attributes:
        id: stable name for the user's key map, such as "plan.submit".
        key: default keys as Textual names them, comma separated; the first one is shown.
        call: the action method without its "action_" (with "app." before it for the app's own).
        label: one or two words for the footer.
        help: one sentence for the help and the palette.
        footer: worth a place in the footer (the rest is in the help).
    """

    id: str
    key: str
    call: str
    label: str
    help: str
    footer: bool = False
    priority: bool = False

    def binding(self) -> Binding:
        return Binding(
            self.key,
            self.call,
            self.label,
            id=self.id,
            show=self.footer,
            priority=self.priority,
            tooltip=self.help,
        )


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """Actions as a class's BINDINGS."""
    return [action.binding() for action in actions]


# Moving in a list or a text is the same everywhere, so it is described once.
MOVES = (
    Action("list.down", "j,down", "cursor_down", "Down", "Move down."),
    Action("list.up", "k,up", "cursor_up", "Up", "Move up."),
    Action("list.top", "g,home", "cursor_top", "Top", "Go to the first row."),
    Action("list.end", "G,end", "cursor_end", "End", "Go to the last row."),
    Action("list.half-down", "ctrl+d", "half_down", "½ down", "Half a page down."),
    Action("list.half-up", "ctrl+u", "half_up", "½ up", "Half a page up."),
    Action("list.page-down", "pagedown", "page_down", "Page down", "A page down."),
    Action("list.page-up", "pageup", "page_up", "Page up", "A page up."),
)

# What the keys are called in the footer and the help.
KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "equals_sign": "=",
    "plus": "+",
    "minus": "-",
    "comma": ",",
    "full_stop": ".",
    "space": "space",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "colon": ":",
}


def key_name(key: str) -> str:
    """ "ctrl+s" → "^s", "question_mark" → "?"."""
    if key.startswith("ctrl+"):
        return "^" + key_name(key.removeprefix("ctrl+"))
    return KEY_NAMES.get(key, key)
