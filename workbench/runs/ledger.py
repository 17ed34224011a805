"""`Ledger`: every run there ever was – what was asked, what happened, its curves and its log.

A run is here before its request leaves. Its log is written first, then what the log told and the new counts go into
the database in one transaction; at the next opening the two are compared, so a kill at any moment neither loses nor
doubles a line. One process at a time records a run (a lock that dies with it); everybody may read.
"""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.errors import LedgerError
from workbench.hub.records import TERMINAL_STAGES, HardwareSample, JobRecord, LogLine
from workbench.runs.learned import Learned
from workbench.runs.logfile import LogWriter
from workbench.runs.logparse import LogReader
from workbench.runs.reading import LedgerReading, hardware_to
from workbench.runs.records import NewRun, Place, RunRecord
from workbench.runs.redact import Redactor
from workbench.runs.schema import complaints
from workbench.runs.store import forget_learned, store_learned

# The label by which a job is known as ours even if the answer to its request never came.
RUN_LABEL = "wb-run"


class Ledger(LedgerReading):
    """The ledger in `folder` (made if missing). Every method blocks a little: call it from worker threads.

    `redact` is applied to every text that is stored.

    Raises:
        LedgerError: from every method: a full disk, a read-only folder, another program in the way – with nothing
            half written; the same call works again once the cause is gone.
    """

    def __init__(self, folder: Path, *, redact: Callable[[str], str] | None = None) -> None:
        super().__init__(folder)
        self.redact = redact or Redactor()
        self._recorders: dict[str, _Recorder] = {}
        self._lock = threading.RLock()

    # --- a run's life ----------------------------------------------------------------------------------------------

    def create(self, new: NewRun) -> RunRecord:
        """A new run in stage PREPARED."""
        return self.run(self._insert(new, created=time.time(), stage="PREPARED", job_id=""))

    def attach_job(self, run_id: str, job: JobRecord) -> RunRecord:
        """The request was answered: this is the run's job."""
        with self._db.writing() as db:
            # Somebody may have seen the job on the account before its answer reached us.
            db.execute(
                "DELETE FROM runs WHERE job_id = ? AND id != ? AND endpoint = (SELECT endpoint FROM runs WHERE id = ?)",
                (job.id, run_id, run_id),
            )
            db.execute("UPDATE runs SET job_id = ? WHERE id = ?", (job.id, run_id))
            self._update(db, run_id, job)
        return self.run(run_id)

    def refuse(self, run_id: str, reason: str) -> RunRecord:
        """The Hub said no: the run is kept in stage REFUSED with the reason."""
        self._set(run_id, stage="REFUSED", message=self.redact(reason), finished=time.time())
        return self.run(run_id)

    def observe(self, job: JobRecord, place: Place, endpoint: str, *, usd_per_hour: float = 0.0) -> RunRecord:
        """The run of a job seen on the account, made if there is none; its state is brought up to date.

        `usd_per_hour` is the flavor's price; it fills a price that was not known before.
        """
        found = self.find(job.id, endpoint=endpoint)
        if found is None:
            ours = job.labels.get(RUN_LABEL, "")
            with self._db.writing() as db:
                # Ours, seen before the answer to its request came.
                taken = db.execute(
                    "UPDATE runs SET job_id = ? WHERE id = ? AND job_id = '' AND endpoint = ?", (job.id, ours, endpoint)
                ).rowcount
            run_id = ours if taken else self._insert_observed(job, place, endpoint, usd_per_hour)
        else:
            run_id = found.id
            if usd_per_hour and not found.usd_per_hour:
                self._set(run_id, usd_per_hour=usd_per_hour)
        return self.update_job(run_id, job)

    def update_job(self, run_id: str, job: JobRecord) -> RunRecord:
        """Stage, times and labels as the Jobs API reports them. Nothing is written when nothing changed."""
        with self._db.writing() as db:
            self._update(db, run_id, job)
        return self.run(run_id)

    def complete(self, run_id: str) -> None:
        """The job has ended and its whole log is held; its recorder lets go of the files."""
        self._set(run_id, log_complete=1, trouble="")
        self.release(run_id)

    def set_trouble(self, run_id: str, sentence: str) -> None:
        """Why following stands still just now; "" = it goes on."""
        self._set(run_id, trouble=self.redact(sentence))

    # --- what the streams bring ------------------------------------------------------------------------------------

    def add_lines(self, run_id: str, lines: Sequence[LogLine]) -> int:
        """Append lines and record what they tell, all or nothing; returns how many lines are held now.

        Lines must follow the ones held; those already held are passed over.

        Raises:
            LedgerError: also when lines are missing in between, or another process records this run.
        """
        with self._lock, complaints(self.logs):
            recorder = self._recorder(run_id)
            log = recorder.log
            fresh = [line for line in lines if line.index >= log.lines]
            if not fresh:
                return log.lines
            if fresh[0].index != log.lines or fresh[-1].index != log.lines + len(fresh) - 1:
                raise LedgerError(
                    f"lines {log.lines} to {fresh[0].index} of the log are missing", where=run_id, mend="Read it again."
                )
            redact = self.redact
            clean = [
                line if (text := redact(line.text)) is line.text else LogLine(line.index, line.at, text)
                for line in fresh
            ]
            try:
                log.append(clean)
                self._record(recorder, clean)
            except BaseException:
                # Reader and files may be ahead of the database: begin anew from what it holds.
                before = recorder.committed
                self.release(run_id, cut_to=before)
                raise
            return log.lines

    def add_hardware(self, run_id: str, samples: Iterable[HardwareSample]) -> None:
        with self._db.writing() as db:
            key = _key(db, run_id)
            db.executemany(
                "INSERT INTO hardware (run, at, data) VALUES (?, ?, ?)",
                [(key, sample.at, hardware_to(sample)) for sample in samples],
            )
            _touch(db, run_id)

    def hold(self, run_id: str) -> bool:
        """Become the one that records this run, mending what a kill left; False if another process is it."""
        with self._lock, complaints(self.logs):
            try:
                self._recorder(run_id)
            except LedgerError as error:
                if error.where == run_id and "another workbench" in error.what:
                    return False
                raise
            return True

    def release(self, run_id: str, *, cut_to: tuple[int, int] | None = None) -> None:
        """Let go of a run's log file and its lock (`cut_to`: after shortening it to these lines and bytes)."""
        with self._lock:
            recorder = self._recorders.pop(run_id, None)
            if recorder is None:
                return
            try:
                if cut_to is not None:
                    recorder.log.cut(*cut_to)
            except OSError:
                pass  # the next opening finds the rest and records it
            finally:
                recorder.log.close()

    def rebuild(self, run_id: str) -> None:
        """Forget what the log told and read the whole log file again (a mended log, or a better reader)."""
        with self._lock, complaints(self.logs):
            recorder = self._recorder(run_id)
            self._reread(recorder)

    # --- what the user says ----------------------------------------------------------------------------------------

    def set_tags(self, run_id: str, tags: Iterable[str]) -> None:
        with self._db.writing() as db:
            key = _key(db, run_id)
            db.execute("DELETE FROM tags WHERE run = ?", (key,))
            wanted = {" ".join(tag.split()) for tag in tags} - {""}
            db.executemany("INSERT INTO tags (run, tag) VALUES (?, ?)", [(key, tag) for tag in sorted(wanted)])
            _touch(db, run_id)

    def set_note(self, run_id: str, note: str) -> None:
        self._set(run_id, note=self.redact(note))

    def close(self) -> None:
        """Let go of every file and lock."""
        with self._lock:
            for run_id in list(self._recorders):
                self.release(run_id)
        super().close()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _recorder(self, run_id: str) -> _Recorder:
        recorder = self._recorders.get(run_id)
        if recorder is not None:
            return recorder
        with self._db.reading() as db:
            row = db.execute("SELECT key, lines, log_bytes, reader FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            raise LedgerError("there is no such run in the ledger", where=run_id)
        log = LogWriter(self.logs, run_id, lines=row["lines"], size=row["log_bytes"])
        try:
            recorder = _Recorder(row["key"], log, LogReader(json.loads(row["reader"])))
            recorder.committed = (row["lines"], row["log_bytes"])
            if log.lost:
                self._reread(recorder)
            elif log.tail:
                self._record(recorder, log.tail)
                log.tail = []
        except BaseException:
            log.close()
            raise
        self._recorders[run_id] = recorder
        return recorder

    def _record(self, recorder: _Recorder, lines: Sequence[LogLine], *, anew: bool = False) -> None:
        """What `lines` (already in the file) tell, and the new counts, in one transaction."""
        learned = recorder.reader.feed_all(lines)
        with self._db.writing() as db:
            if anew:
                forget_learned(db, recorder.key)
            self._store(db, recorder, learned)
        recorder.committed = (recorder.log.lines, recorder.log.size)

    def _reread(self, recorder: _Recorder) -> None:
        recorder.reader = LogReader()
        with self._db.writing() as db:
            forget_learned(db, recorder.key)
            for block in recorder.log.all_lines():
                self._store(db, recorder, recorder.reader.feed_all(block))
        recorder.committed = (recorder.log.lines, recorder.log.size)

    def _store(self, db: sqlite3.Connection, recorder: _Recorder, learned: Learned) -> None:
        log = recorder.log
        store_learned(db, recorder.key, learned, now=time.time())
        _write(
            db,
            "key",
            recorder.key,
            **learned.facts,
            lines=log.lines,
            log_bytes=log.size,
            reader=json.dumps(recorder.reader.state()),
        )

    def _insert(self, new: NewRun, *, created: float, stage: str, job_id: str) -> str:
        run_id = f"{datetime.fromtimestamp(created, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        recipe = None if new.recipe is None else self.redact(json.dumps(dict(new.recipe)))
        values = {
            "id": run_id,
            "name": new.name,
            "place": new.place,
            "endpoint": new.endpoint,
            "namespace": new.namespace,
            "job_id": job_id,
            "stage": stage,
            "created": created,
            "flavor": new.flavor,
            "usd_per_hour": new.usd_per_hour,
            "timeout_seconds": new.timeout_seconds,
            "cap_usd": new.cap_usd,
            "recipe": recipe,
            "script_sha256": new.script_sha256,
            "labels": json.dumps(dict(new.labels)),
            "command_line": self.redact(new.command_line),
        }
        sql = f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
        with self._db.writing() as db:
            db.execute(sql, tuple(values.values()))
        return run_id

    def _insert_observed(self, job: JobRecord, place: Place, endpoint: str, usd_per_hour: float) -> str:
        new = NewRun(
            name=job.name,
            place=place,
            endpoint=endpoint,
            namespace=job.namespace,
            flavor=job.flavor,
            usd_per_hour=usd_per_hour,
            timeout_seconds=job.timeout_seconds,
            cap_usd=0.0,
            labels=job.labels,
        )
        try:
            return self._insert(new, created=_unix(job.created) or time.time(), stage=job.stage, job_id=job.id)
        except LedgerError:
            # Two processes saw it at the same moment; the other one was first.
            found = self.find(job.id, endpoint=endpoint)
            if found is None:
                raise
            return found.id

    def _update(self, db: sqlite3.Connection, run_id: str, job: JobRecord) -> None:
        row = db.execute(
            "SELECT key, stage, message, started, finished, timeout_seconds, labels, failure, flavor, namespace "
            "FROM runs WHERE id = ?",
            (run_id,),
        ).fetchone()
        if row is None:
            raise LedgerError("there is no such run in the ledger", where=run_id)
        if row["stage"] in TERMINAL_STAGES and not job.terminal:
            return  # an answer that was overtaken: a last stage never changes
        started, finished = _unix(job.started), _unix(job.finished)
        if job.terminal and finished is None:
            finished = row["finished"] or time.time()
        told: dict[str, Any] = {
            "stage": job.stage,
            "message": self.redact(job.message),
            "started": started if started is not None else row["started"],
            "finished": finished,
            "labels": json.dumps(dict(job.labels)) if job.labels else row["labels"],
            "timeout_seconds": job.timeout_seconds or row["timeout_seconds"],
            "flavor": job.flavor or row["flavor"],
            "namespace": job.namespace or row["namespace"],
        }
        changed = {name: value for name, value in told.items() if row[name] != value}
        if job.stage == "COMPLETED" and row["failure"]:
            changed["failure"] = ""  # an exception that was caught is no failure
        _mark_job_phases(db, row["key"], _unix(job.created), told["started"], finished)
        if changed:
            _write(db, "key", row["key"], **changed)

    def _set(self, run_id: str, **columns: Any) -> None:
        with self._db.writing() as db:
            _write(db, "key", _key(db, run_id), **columns)


class _Recorder:
    """What recording a run needs from one batch to the next."""

    def __init__(self, key: int, log: LogWriter, reader: LogReader) -> None:
        self.key = key
        self.log = log
        self.reader = reader
        self.committed = (0, 0)


def _write(db: sqlite3.Connection, by: str, value: Any, **columns: Any) -> None:
    """Set columns of one run, and say that it changed."""
    assigned = ", ".join(f"{name} = ?" for name in columns)
    sql = f"UPDATE runs SET {assigned}, version = version + 1 WHERE {by} = ?"  # noqa: S608 – names are ours
    db.execute(sql, (*(_plain(column) for column in columns.values()), value))


def _plain(value: Any) -> Any:
    """A value as a column takes it: NaN as text (SQLite would store NULL), a mapping as JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return json.dumps(dict(value)) if isinstance(value, Mapping) else value


def _key(db: sqlite3.Connection, run_id: str) -> int:
    row = db.execute("SELECT key FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise LedgerError("there is no such run in the ledger", where=run_id)
    return int(row[0])


def _touch(db: sqlite3.Connection, run_id: str) -> None:
    db.execute("UPDATE runs SET version = version + 1 WHERE id = ?", (run_id,))


def _mark_job_phases(
    db: sqlite3.Connection, key: int, created: float | None, started: float | None, finished: float | None
) -> None:
    """The queue, from creation to start, and the end of whatever phase was last."""
    if created is not None:
        queue = db.execute("SELECT rowid, end FROM phases WHERE run = ? AND name = 'queue'", (key,)).fetchone()
        end = started if started is not None else finished
        if queue is None:
            db.execute("INSERT INTO phases (run, name, start, end) VALUES (?, 'queue', ?, ?)", (key, created, end))
        elif queue["end"] != end:
            db.execute("UPDATE phases SET end = ? WHERE rowid = ?", (end, queue["rowid"]))
    if finished is not None:
        db.execute("UPDATE phases SET end = max(start, ?) WHERE run = ? AND end IS NULL", (finished, key))


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
