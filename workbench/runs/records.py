"""What the ledger hands out: frozen records, no SQL and no client objects."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.plan.money import billed_usd

Place = Literal["hub", "here", "demo"]

# A run's stage: the job's (hub-contract §2.3), plus two of our own before the Hub has answered.
#   PREPARED  in the ledger, request not yet answered
#   REFUSED   the Hub said no; `message` says why
OPEN_STAGES = frozenset({"PREPARED", "SCHEDULING", "RUNNING"})


@dataclass(frozen=True)
class NewRun:
    """What is known before the request leaves."""

    name: str
    place: Place
    endpoint: str
    namespace: str
    flavor: str
    usd_per_hour: float
    timeout_seconds: int | None
    cap_usd: float
    recipe: Mapping[str, Any] | None = None
    script_sha256: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    command_line: str = ""  # the equal `hf jobs …` line, for the command log


@dataclass(frozen=True)
class RunRecord:
    """A run as lists and headers show it. Times are Unix seconds; money is US dollars."""

    id: str
    name: str
    place: Place
    endpoint: str
    namespace: str
    job_id: str
    stage: str
    message: str
    created: float
    started: float | None
    finished: float | None
    flavor: str
    usd_per_hour: float
    timeout_seconds: int | None
    cap_usd: float
    recipe: Mapping[str, Any] | None
    script_sha256: str
    labels: Mapping[str, str]
    command_line: str
    tags: tuple[str, ...]
    note: str
    # What the log has told so far.
    phase: str
    step: int
    max_steps: int
    epoch: float
    last_loss: float | None
    eval_loss: float | None
    best_eval_loss: float | None
    tokens_per_s: float | None
    pushed_repo: str
    failure: str  # cause and mend of a `failed` event, or the last line of a traceback
    environment: Mapping[str, Any]
    lines: int
    log_complete: bool = False  # the job has ended and its whole log is held
    trouble: str = ""  # why following it stands still just now; "" = all is well

    @property
    def open(self) -> bool:
        return self.stage in OPEN_STAGES

    def seconds(self, now: float) -> float:
        """Billed seconds so far: from the job's start to its end, or to `now` while it runs."""
        if self.started is None:
            return 0.0
        return max(0.0, (self.finished if self.finished is not None else now) - self.started)

    def usd(self, now: float) -> float:
        """Dollars so far, by the started minute as Hugging Face bills (hub-contract §2.4)."""
        return billed_usd(self.seconds(now), self.usd_per_hour)


@dataclass(frozen=True)
class Series:
    """One curve: parallel arrays, ordered by step. `at` is Unix seconds, `tokens` and `epoch` NaN where unknown."""

    metric: str
    step: array[float]
    value: array[float]
    at: array[float]
    epoch: array[float]
    tokens: array[float]

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True)
class PhaseSpan:
    """A phase of a run and when it began and ended (`end` None while it lasts); Unix seconds."""

    name: str
    start: float
    end: float | None


@dataclass(frozen=True)
class Sample:
    """A generation the job made: which held prompt (`index`), after which step."""

    step: int
    index: int
    prompt: str
    text: str


@dataclass(frozen=True)
class RunEvent:
    """A saved / pushed / notice / done / failed event, or one of ours, in the order they came."""

    at: float
    kind: str
    fields: Mapping[str, Any]
