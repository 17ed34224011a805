"""What a log told → rows of the ledger, inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from array import array

from workbench.runs.learned import POINT, Learned
from workbench.runs.schema import CHUNK

_WIDTH = POINT * 8


def store_learned(db: sqlite3.Connection, run: int, learned: Learned, *, now: float) -> None:
    """Points, phases, samples and events of one batch. `now` (Unix seconds) stands in where the log had no time."""
    for metric, numbers in learned.points.items():
        _add_points(db, _metric(db, run, metric), array("d", numbers))
    for name, told in learned.phases:
        at = now if told is None else told
        db.execute("UPDATE phases SET end = max(start, ?) WHERE run = ? AND end IS NULL AND name != 'queue'", (at, run))
        db.execute("INSERT INTO phases (run, name, start) VALUES (?, ?, ?)", (run, name, at))
    if learned.samples:
        db.executemany(
            "INSERT INTO samples (run, step, place, prompt, text) VALUES (?, ?, ?, ?, ?)",
            [(run, *sample) for sample in learned.samples],
        )
    if learned.events:
        db.executemany(
            "INSERT INTO events (run, at, kind, fields) VALUES (?, ?, ?, ?)",
            [(run, now if at is None else at, kind, json.dumps(fields)) for at, kind, fields in learned.events],
        )


def forget_learned(db: sqlite3.Connection, run: int) -> None:
    """Remove everything that a log told, so that it can be read again."""
    db.execute("DELETE FROM metrics WHERE run = ?", (run,))  # takes the points along
    db.execute("DELETE FROM phases WHERE run = ? AND name != 'queue'", (run,))
    db.execute("DELETE FROM samples WHERE run = ?", (run,))
    db.execute("DELETE FROM events WHERE run = ?", (run,))
    db.execute(
        "UPDATE runs SET phase = '', step = 0, max_steps = 0, epoch = 0, last_loss = NULL, eval_loss = NULL, "
        "best_eval_loss = NULL, tokens_per_s = NULL, pushed_repo = '', failure = '', environment = '{}' WHERE key = ?",
        (run,),
    )


def _metric(db: sqlite3.Connection, run: int, name: str) -> int:
    row = db.execute("SELECT key FROM metrics WHERE run = ? AND name = ?", (run, name)).fetchone()
    if row is not None:
        return int(row[0])
    return int(db.execute("INSERT INTO metrics (run, name) VALUES (?, ?)", (run, name)).lastrowid or 0)


def _add_points(db: sqlite3.Connection, metric: int, doubles: array[float]) -> None:
    """Fill the last blob up to CHUNK points, then begin new ones."""
    fresh = doubles.tobytes()
    last = db.execute(
        "SELECT rowid, first, count, data FROM points WHERE metric = ? ORDER BY first DESC LIMIT 1", (metric,)
    ).fetchone()
    first = 0
    taken = 0
    if last is not None:
        first = last["first"] + last["count"]
        if last["count"] < CHUNK:
            taken = min((CHUNK - last["count"]) * _WIDTH, len(fresh))
            count = last["count"] + taken // _WIDTH
            data = last["data"] + fresh[:taken]
            db.execute("UPDATE points SET count = ?, data = ? WHERE rowid = ?", (count, data, last["rowid"]))
            first = last["first"] + count
    for at in range(taken, len(fresh), CHUNK * _WIDTH):
        data = fresh[at : at + CHUNK * _WIDTH]
        count = len(data) // _WIDTH
        db.execute("INSERT INTO points (metric, first, count, data) VALUES (?, ?, ?, ?)", (metric, first, count, data))
        first += count
