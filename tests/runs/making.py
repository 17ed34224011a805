"""Small makers that the tests of this folder share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from workbench.hub.records import JobRecord, LogLine
from workbench.runs.records import NewRun

ENDPOINT = "http://127.0.0.1:1"


def new_run(**changes: Any) -> NewRun:
    values: dict[str, Any] = {
        "name": "tiny-sums",
        "place": "demo",
        "endpoint": ENDPOINT,
        "namespace": "alice",
        "flavor": "cpu-basic",
        "usd_per_hour": 0.6,
        "timeout_seconds": 600,
        "cap_usd": 1.0,
    }
    return NewRun(**{**values, **changes})


def job(**changes: Any) -> JobRecord:
    values: dict[str, Any] = {
        "id": "job1",
        "namespace": "alice",
        "stage": "RUNNING",
        "created": moment(0),
        "started": moment(10),
        "flavor": "cpu-basic",
        "timeout_seconds": 600,
    }
    return JobRecord(**{**values, **changes})


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(1_795_000_000 + seconds, UTC)


def event(kind: str, /, **fields: Any) -> str:
    return "::wb:: " + json.dumps({"t": 1.0, "e": kind, **fields})


def line(index: int, text: str | None = None) -> LogLine:
    """A log line; by default a step event with every tenth an ordinary line."""
    if text is None:
        text = f"words {index}" if index % 10 == 9 else event("step", step=index, max_steps=1000, loss=1 / (index + 1))
    return LogLine(index, 1_795_000_010.0 + index, text)


def lines(start: int, stop: int) -> list[LogLine]:
    return [line(index) for index in range(start, stop)]


def steps_of(count: int) -> list[float]:
    """The steps that `lines(0, count)` tell of."""
    return [float(index) for index in range(count) if index % 10 != 9]
