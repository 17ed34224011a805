"""The reading half of the ledger: everything a screen asks, from the database and the log files alone.

Any thread and any process may read at any time, also while a run is being recorded.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.errors import LedgerError
from workbench.hub.records import HardwareSample, LogLine
from workbench.runs.learned import POINT
from workbench.runs.logfile import read_lines
from workbench.runs.records import OPEN_STAGES, PhaseSpan, RunEvent, RunRecord, Sample, Series
from workbench.runs.schema import Database, complaints

_OPEN = "stage IN (" + ", ".join(f"'{stage}'" for stage in sorted(OPEN_STAGES)) + ")"
_OF_RUN = "JOIN runs ON runs.key = run WHERE runs.id = ?"
_SEARCHED = ("name", "id", "job_id", "flavor", "note", "stage", "phase", "pushed_repo", "recipe", "labels")
# What lists need of a run; `reader` stays in the database.
_COLUMNS = (
    "key, id, name, place, endpoint, namespace, job_id, stage, message, created, started, finished, flavor, "
    "usd_per_hour, timeout_seconds, cap_usd, recipe, script_sha256, labels, command_line, note, phase, step, "
    "max_steps, epoch, last_loss, eval_loss, best_eval_loss, tokens_per_s, pushed_repo, failure, environment, lines, "
    "log_complete, trouble, (SELECT group_concat(tag, char(10)) FROM tags WHERE tags.run = runs.key) AS tags"
)


class LedgerReading:
    """See `workbench.runs.ledger.Ledger`, of which this is the part that never writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self._db = Database(folder / "ledger.db")

    def run(self, run_id: str) -> RunRecord:
        """One run.

        Raises:
            LedgerError: there is no such run.
        """
        with self._db.reading() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run_id,)).fetchone()  # noqa: S608
        if row is None:
            raise LedgerError("there is no such run in the ledger", where=run_id)
        return _record(row)

    def find(self, job_id: str, *, endpoint: str | None = None) -> RunRecord | None:
        """The run of a job, or None."""
        where, values = "job_id = ?", [job_id]
        if endpoint is not None:
            where, values = where + " AND endpoint = ?", [job_id, endpoint]
        with self._db.reading() as db:
            sql = f"SELECT {_COLUMNS} FROM runs WHERE {where} ORDER BY key DESC"  # noqa: S608 – fixed text
            row = db.execute(sql, values).fetchone() if job_id else None
        return None if row is None else _record(row)

    def runs(
        self,
        *,
        text: str = "",
        tags: Sequence[str] = (),
        open_only: bool = False,
        limit: int = 500,
        offset: int = 0,
    ) -> list[RunRecord]:
        """Runs, newest first.

        Args:
            text: every word must occur in the name, ids, flavor, note, stage, pushed repo, labels,
                tags or recipe.
            tags: only runs that carry all of these.
            open_only: only runs whose job has not ended.
        """
        where, values = ["1"], []
        for word in text.split():
            like = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            tagged = "EXISTS (SELECT 1 FROM tags WHERE tags.run = runs.key AND tag LIKE ? ESCAPE '\\')"
            where.append("(" + " OR ".join([*(f"{column} LIKE ? ESCAPE '\\'" for column in _SEARCHED), tagged]) + ")")
            values += [like] * (len(_SEARCHED) + 1)
        for tag in tags:
            where.append("EXISTS (SELECT 1 FROM tags WHERE tags.run = runs.key AND tag = ?)")
            values.append(tag)
        if open_only:
            where.append(_OPEN)
        sql = (
            f"SELECT {_COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY created DESC, key DESC LIMIT ? OFFSET ?"  # noqa: S608
        )
        with self._db.reading() as db:
            return [_record(row) for row in db.execute(sql, (*values, limit, offset))]

    def unfinished(self) -> list[RunRecord]:
        """Runs with a job that is still to be followed: it has not ended, or not all of its log is held."""
        sql = f"SELECT {_COLUMNS} FROM runs WHERE job_id != '' AND NOT log_complete ORDER BY key"  # noqa: S608
        with self._db.reading() as db:
            return [_record(row) for row in db.execute(sql)]

    def version(self, run_id: str | None = None) -> int:
        """A number that changes whenever anything of the run (of any run, without an id) has changed; 0 = no run."""
        with self._db.reading() as db:
            if run_id is None:
                row = db.execute("SELECT total(version) + count(*) FROM runs").fetchone()
            else:
                row = db.execute("SELECT version FROM runs WHERE id = ?", (run_id,)).fetchone()
        return int(row[0]) if row is not None else 0

    def metrics(self, run_id: str) -> list[str]:
        """Names of the run's curves in the order they first came: "loss", "lr", "eval/loss", …"""
        sql = "SELECT metrics.name FROM metrics JOIN runs ON runs.key = run WHERE runs.id = ? ORDER BY metrics.key"
        with self._db.reading() as db:
            return [row[0] for row in db.execute(sql, (run_id,))]

    def series(self, run_id: str, metric: str, since_row: int = 0) -> Series:
        """One curve, or only its rows from `since_row` on: a reader that holds n rows asks for `since_row=n`."""
        sql = (
            "SELECT first, data FROM points JOIN metrics ON metrics.key = metric JOIN runs ON runs.key = run "
            "WHERE runs.id = ? AND metrics.name = ? AND first + count > ? ORDER BY first"
        )
        doubles = array("d")
        with self._db.reading() as db:
            for first, data in db.execute(sql, (run_id, metric, since_row)):
                doubles.frombytes(data[max(0, since_row - first) * POINT * 8 :])
        step, value, at, epoch, tokens = (doubles[column::POINT] for column in range(POINT))
        return Series(metric, step, value, at, epoch, tokens)

    def phases(self, run_id: str) -> list[PhaseSpan]:
        """The run's phases in order of their start; the queue is the first."""
        sql = f"SELECT phases.name, start, end FROM phases {_OF_RUN} ORDER BY start, phases.rowid"  # noqa: S608
        with self._db.reading() as db:
            return [PhaseSpan(name, start, end) for name, start, end in db.execute(sql, (run_id,))]

    def samples(self, run_id: str) -> list[Sample]:
        """The generations the job made, in the order it made them."""
        sql = f"SELECT samples.step, samples.place, prompt, text FROM samples {_OF_RUN} ORDER BY samples.rowid"  # noqa: S608
        with self._db.reading() as db:
            return [Sample(*row) for row in db.execute(sql, (run_id,))]

    def events(self, run_id: str) -> list[RunEvent]:
        """Saved, pushed, notices, done, failed, tracebacks, in the order they came."""
        sql = f"SELECT at, kind, fields FROM events {_OF_RUN} ORDER BY events.rowid"  # noqa: S608
        with self._db.reading() as db:
            return [RunEvent(at, kind, json.loads(fields)) for at, kind, fields in db.execute(sql, (run_id,))]

    def hardware(self, run_id: str, limit: int = 3600) -> list[HardwareSample]:
        """The last `limit` hardware samples, oldest first."""
        sql = f"SELECT at, data FROM hardware {_OF_RUN} ORDER BY at DESC, hardware.rowid DESC LIMIT ?"  # noqa: S608
        with self._db.reading() as db:
            rows = db.execute(sql, (run_id, limit)).fetchall()
        return [hardware_from(at, data) for at, data in reversed(rows)]

    def line_count(self, run_id: str) -> int:
        return self._extent(run_id)[0]

    def lines(self, run_id: str, start: int, count: int) -> list[LogLine]:
        """Lines `start` … `start + count` of the run's log, as far as they are there. Two short reads at any place."""
        lines, size = self._extent(run_id)
        with complaints(self.logs):
            return read_lines(self.logs, run_id, start, count, lines=lines, size=size)

    def spent_since(self, unix: float, *, now: float | None = None) -> float:
        """Dollars for jobs on Hugging Face from `unix` (Unix seconds) on, by the started minute."""
        moment = time.time() if now is None else now
        sql = (
            "SELECT started, coalesce(finished, ?), usd_per_hour FROM runs "
            "WHERE place = 'hub' AND started IS NOT NULL AND coalesce(finished, ?) > ?"
        )
        with self._db.reading() as db:
            rows = db.execute(sql, (moment, moment, unix)).fetchall()
        return math.fsum(math.ceil(max(0.0, end - max(start, unix)) / 60) * usd / 60 for start, end, usd in rows)

    def close(self) -> None:
        self._db.close()

    def _extent(self, run_id: str) -> tuple[int, int]:
        with self._db.reading() as db:
            row = db.execute("SELECT lines, log_bytes FROM runs WHERE id = ?", (run_id,)).fetchone()
        return (row[0], row[1]) if row is not None else (0, 0)


def hardware_to(sample: HardwareSample) -> str:
    """A sample as the database keeps it."""
    return json.dumps(
        [
            sample.cpu_percent,
            sample.memory_used,
            sample.memory_total,
            sample.gpu_percent,
            sample.gpu_memory_used,
            sample.gpu_memory_total,
            sample.rx_bps,
            sample.tx_bps,
        ]
    )


def hardware_from(at: float, data: str) -> HardwareSample:
    cpu, used, total, gpu, gpu_used, gpu_total, received, sent = json.loads(data)
    return HardwareSample(at, cpu, used, total, tuple(gpu), tuple(gpu_used), tuple(gpu_total), received, sent)


def _number(value: Any) -> float | None:
    # A NaN is kept as text: SQLite would make NULL of it, and a NaN loss is news.
    return None if value is None else float(value)


def _record(row: sqlite3.Row) -> RunRecord:
    return RunRecord(
        id=row["id"],
        name=row["name"],
        place=row["place"],
        endpoint=row["endpoint"],
        namespace=row["namespace"],
        job_id=row["job_id"],
        stage=row["stage"],
        message=row["message"],
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
        flavor=row["flavor"],
        usd_per_hour=row["usd_per_hour"],
        timeout_seconds=row["timeout_seconds"],
        cap_usd=row["cap_usd"],
        recipe=json.loads(row["recipe"]) if row["recipe"] else None,
        script_sha256=row["script_sha256"],
        labels=json.loads(row["labels"]),
        command_line=row["command_line"],
        tags=tuple(sorted(row["tags"].split("\n"))) if row["tags"] else (),
        note=row["note"],
        phase=row["phase"],
        step=row["step"],
        max_steps=row["max_steps"],
        epoch=row["epoch"],
        last_loss=_number(row["last_loss"]),
        eval_loss=_number(row["eval_loss"]),
        best_eval_loss=_number(row["best_eval_loss"]),
        tokens_per_s=_number(row["tokens_per_s"]),
        pushed_repo=row["pushed_repo"],
        failure=row["failure"],
        environment=json.loads(row["environment"]),
        lines=row["lines"],
        log_complete=bool(row["log_complete"]),
        trouble=row["trouble"],
    )
