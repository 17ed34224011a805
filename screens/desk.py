"""From any widget to the app, typed: what a pane may use of it is `engine`, `draft` and the few methods below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from screens.app import WorkbenchApp


def desk(node: Any) -> WorkbenchApp:
    """The app a widget or screen belongs to."""
    return cast("WorkbenchApp", node.app)
