"""What a stretch of log has told: plain data between the log reader and the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# A point is five doubles in this order: step, value, at (Unix seconds), epoch, tokens; NaN = unknown.
POINT = 5


@dataclass(frozen=True)
class Progress:
    """A progress bar's last state: what it counts, how far it is, and its text between brackets."""

    name: str
    done: float
    total: float
    rate: str


@dataclass
class Learned:
    """Everything new, in the order of the log.

    Attributes:
        points: metric → numbers, five a point (see POINT).
        phases: (name, at) of each phase begun; `at` in Unix seconds or None.
        samples: (step, index, prompt, text) of each generation.
        events: (at, kind, fields) of each saved, pushed, notice, done, failed, … event.
        facts: fields of the run's record with their newest value (step, max_steps, epoch, last_loss, …).
        progress: the last progress bar, if there was one.
    """

    points: dict[str, list[float]] = field(default_factory=dict)
    phases: list[tuple[str, float | None]] = field(default_factory=list)
    samples: list[tuple[int, int, str, str]] = field(default_factory=list)
    events: list[tuple[float | None, str, dict[str, Any]]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    progress: Progress | None = None

    def __bool__(self) -> bool:
        return bool(
            self.points or self.phases or self.samples or self.events or self.facts or self.progress is not None
        )
