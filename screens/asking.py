"""How a screen asks the engine: a blocking call runs in a thread worker, its answer comes back as a message.

A newer question in the same group makes the older one's answer worthless: it is dropped, whenever it comes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from textual.dom import DOMNode

T = TypeVar("T")


def ask(
    node: Any,
    call: Callable[[], T],
    then: Callable[[T], None],
    *,
    group: str,
    failed: Callable[[WorkbenchError], None] | None = None,
) -> None:
    """Run `call` in a thread; then, on the screen's own loop, `then(answer)` or `failed(error)`.

    Nothing is called if `node` has left the screen or asked again in the same `group` meanwhile. Without `failed`
    an error becomes a toast.
    """
    asked: dict[str, int] = node.__dict__.setdefault("_asked", {})
    turn = asked[group] = asked.get(group, 0) + 1

    def fresh() -> bool:
        return bool(node.is_attached) and asked.get(group) == turn

    def deliver(answer: T) -> None:
        if fresh():
            then(answer)

    def complain(error: WorkbenchError) -> None:
        if not fresh():
            return
        if failed is not None:
            failed(error)
        else:
            node.notify(error.sentence(), severity="error", timeout=8)

    def work() -> None:
        try:
            answer = call()
        except WorkbenchError as error:
            node.call_later(complain, error)
        except Exception as error:
            node.call_later(complain, unexpected(error, node))
        else:
            node.call_later(deliver, answer)

    node.run_worker(work, thread=True, group=group, name=group, exit_on_error=False)


def forget(node: DOMNode, group: str) -> None:
    """Make any answer still on its way in `group` worthless."""
    asked: dict[str, int] = node.__dict__.setdefault("_asked", {})
    asked[group] = asked.get(group, 0) + 1


def unexpected(error: Exception, node: Any) -> WorkbenchError:
    """A fault of our own: the user gets a sentence, the traceback goes to a file for a bug report."""
    told = f"{type(error).__name__}: {error}"
    try:
        folder = Path(node.app.engine.settings.data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "errors.log"
        redact = node.app.engine.redact
        with path.open("a", encoding="utf-8") as file:
            file.write(redact("".join(traceback.format_exception(error))) + "\n")
        where = f"Details are in {path}."
    except Exception:
        where = "Details could not be written."
    return WorkbenchError(f"the workbench itself stumbled ({told[:200]})", mend=where)
