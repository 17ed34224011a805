"""Runs as a ledger keeps them, written by the real ledger from the lines a real job prints; times are fixed."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from workbench.hub.records import JobRecord, LogLine
from workbench.runs.events import MARK
from workbench.runs.ledger import Ledger
from workbench.runs.records import NewRun

START = 1_790_000_000.0  # 2026-09-21T14:13:20Z

RECIPE = {
    "version": 1,
    "method": "sft",
    "model": {"id": "sample-lab/tiny-llama-2M", "revision": "main"},
    "dataset": {"id": "sample-lab/sums-in-words", "revision": "main", "config": "default", "split": "train"},
    "lora": {"rank": 16, "alpha": 32},
    "training": {"learning_rate": 0.003, "batch": 8},
}


def event(t: float, kind: str, **fields: object) -> str:
    return MARK + json.dumps({"t": t, "e": kind, **fields})


def lines_of_a_run(steps: int, every: int = 10) -> list[str]:
    """What the job script prints over a run of so many steps, a second a step."""
    lines = [
        "===== Job started at 2026-09-21 14:13:30 =====",
        event(0.0, "phase", name="download"),
        event(3.0, "environment", engine="trl", device="cpu", python="3.11", packages={"trl": "1.16.0"}),
        event(4.0, "phase", name="train"),
    ]
    for step in range(1, steps + 1):
        loss = 0.6 + 3.6 * math.exp(-step / 12) + 0.12 * math.sin(step * 2.3)
        lr = 0.003 * (1 - step / steps)
        lines.append(
            event(
                4.0 + step,
                "step",
                step=step,
                max_steps=steps,
                epoch=step / steps,
                loss=round(loss, 4),
                lr=lr,
                grad_norm=round(2 + math.cos(step), 3),
                tokens=step * 800,
                tokens_per_s=812.5,
            )
        )
        if step % every == 0:
            lines.append(event(4.0 + step, "eval", step=step, loss=round(0.7 + 3.4 * math.exp(-step / 12), 4)))
            text = "Nineteen minus three is sixteen." if step > steps / 2 else "Three three is"
            lines.append(
                event(4.0 + step, "sample", step=step, index=0, prompt="What is nineteen minus three?", text=text)
            )
    return lines


def job(job_id: str, stage: str, *, finished: float | None = None) -> JobRecord:
    return JobRecord(
        id=job_id,
        namespace="demo",
        stage=stage,
        created=datetime.fromtimestamp(START, UTC),
        started=datetime.fromtimestamp(START + 10, UTC),
        finished=datetime.fromtimestamp(finished, UTC) if finished else None,
        flavor="cpu-basic",
        timeout_seconds=1800,
    )


def record(ledger: Ledger, name: str, job_id: str, *, steps: int, done: bool, rank: int = 16) -> str:
    """One run, through the ledger's own front door; returns its id."""
    recipe = {**RECIPE, "lora": {"rank": rank, "alpha": 2 * rank}}
    run = ledger.create(
        NewRun(name, "demo", "http://127.0.0.1", "demo", "cpu-basic", 0.01, 1800, 20.0, recipe, "0" * 64)
    )
    ledger.attach_job(run.id, job(job_id, "RUNNING"))
    texts = lines_of_a_run(steps)
    if done:
        texts += [
            event(5.0 + steps, "saved", step=steps, path="output"),
            event(6.0 + steps, "pushed", repo=f"demo/{name}", commit="c" * 40, url="http://127.0.0.1"),
            event(
                6.5 + steps,
                "done",
                step=steps,
                seconds=6.5 + steps,
                train_loss=0.61,
                eval_loss=0.7,
                repo=f"demo/{name}",
            ),
        ]
    at = [START + 10 + (json.loads(t.removeprefix(MARK))["t"] if t.startswith(MARK) else 0.0) for t in texts]
    ledger.add_lines(run.id, [LogLine(i, at[i], text) for i, text in enumerate(texts)])
    if done:
        ledger.update_job(run.id, job(job_id, "COMPLETED", finished=at[-1] + 1))
        ledger.complete(run.id)
    return run.id
