"""The two lists of the plan pane and their keys; what a key means is the pane's to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.message import Message

from screens.actions import Action, bindings
from screens.widgets.grid import Grid


@dataclass
class Stepped(Message):
    """The field `key` is to go to its next (+1) or previous (-1) value."""

    key: str
    by: int


class Undone(Message):
    """The last change is to be taken back."""


@dataclass
class Wanted(Message):
    """The "cheapest" or "fastest" flavor is to be taken."""

    which: str


class RecipeGrid(Grid):
    """The fields of the recipe. Left and right step through values, enter types one."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("recipe.less", "left,h", "step(-1)", "Less", "The next smaller value."),
        Action("recipe.more", "right,l", "step(1)", "More", "The next larger value."),
        Action("recipe.type", "enter", "choose", "Type", "Type a value.", footer=True),
        Action("recipe.undo", "u", "undo", "Undo", "Take the last change back.", footer=True),
    )
    BINDINGS = bindings(ACTIONS)

    def action_step(self, by: int) -> None:
        self.post_message(Stepped(self.key, by))

    def action_undo(self) -> None:
        self.post_message(Undone())


class FlavorGrid(Grid):
    """Every flavor with fit, time and cost. Enter takes the one under the cursor."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("flavor.take", "enter", "choose", "Take", "Take the flavor under the cursor.", footer=True),
        Action(
            "flavor.cheapest", "c", "pick('cheapest')", "Cheapest", "Take the cheapest flavor that fits.", footer=True
        ),
        Action(
            "flavor.fastest", "f", "pick('fastest')", "Fastest", "Take the fastest flavor under the cap.", footer=True
        ),
    )
    BINDINGS = bindings(ACTIONS)

    def action_pick(self, which: str) -> None:
        self.post_message(Wanted(which))
