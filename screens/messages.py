"""What panes tell each other. All of it bubbles up to the app, which hands it on; panes do not know one another."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from workbench.hub.records import ModelRecord


@dataclass
class ModelPicked(Message):
    record: ModelRecord


@dataclass
class DraftChanged(Message):
    """The recipe in work, or a fact it rests on, changed. A newer one says everything an older one did."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, DraftChanged)


@dataclass
class GoTo(Message):
    """Show a place: "models", "datasets", "plan", "jobs" or "runs"."""

    place: str


@dataclass
class OpenRun(Message):
    """Open a run's own screen."""

    run_id: str


@dataclass
class RunChanged(Message):
    """The ledger has news of a run ("" = of several)."""

    run_id: str

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, RunChanged) and message.run_id == self.run_id
