"""The ledger's database: its tables, opening it, and turning SQLite's and the disk's complaints into sentences.

SQLite in WAL mode: one writer at a time (other processes wait), readers never wait. Points are kept as blobs of up to
`CHUNK` rows, so that a curve of 100,000 points is a few hundred reads.
"""

from __future__ import annotations

import errno
import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import LedgerError

# Raise it with each change of the tables and add the step to _MIGRATIONS.
VERSION = 1

# Points a blob: rewriting the open one at each batch must stay cheap (40 bytes a point).
CHUNK = 256

# Another process may be in the middle of a batch; seconds.
BUSY_SECONDS = 15.0

_TABLES = """
CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL, place TEXT NOT NULL, endpoint TEXT NOT NULL, namespace TEXT NOT NULL,
    job_id TEXT NOT NULL DEFAULT '', stage TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL, started REAL, finished REAL,
    flavor TEXT NOT NULL, usd_per_hour REAL NOT NULL, timeout_seconds INTEGER, cap_usd REAL NOT NULL,
    recipe TEXT, script_sha256 TEXT NOT NULL DEFAULT '', labels TEXT NOT NULL DEFAULT '{}',
    command_line TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '',
    phase TEXT NOT NULL DEFAULT '', step INTEGER NOT NULL DEFAULT 0, max_steps INTEGER NOT NULL DEFAULT 0,
    epoch REAL NOT NULL DEFAULT 0, last_loss, eval_loss, best_eval_loss, tokens_per_s,
    pushed_repo TEXT NOT NULL DEFAULT '', failure TEXT NOT NULL DEFAULT '', environment TEXT NOT NULL DEFAULT '{}',
    lines INTEGER NOT NULL DEFAULT 0, log_bytes INTEGER NOT NULL DEFAULT 0,
    log_complete INTEGER NOT NULL DEFAULT 0, trouble TEXT NOT NULL DEFAULT '',
    reader TEXT NOT NULL DEFAULT '{}',
    version INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX runs_job ON runs (job_id, endpoint) WHERE job_id != '';
CREATE INDEX runs_created ON runs (created);
CREATE TABLE tags (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (run, tag))
    WITHOUT ROWID;
CREATE TABLE metrics (
    key INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, name TEXT NOT NULL,
    UNIQUE (run, name)
);
CREATE TABLE points (
    metric INTEGER NOT NULL REFERENCES metrics ON DELETE CASCADE, first INTEGER NOT NULL, count INTEGER NOT NULL,
    data BLOB NOT NULL, UNIQUE (metric, first)
);
CREATE TABLE phases (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, name TEXT NOT NULL, start REAL NOT NULL, end REAL
);
CREATE INDEX phases_run ON phases (run, start);
CREATE TABLE samples (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, step INTEGER NOT NULL, place INTEGER NOT NULL,
    prompt TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX samples_run ON samples (run);
CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, at REAL NOT NULL, kind TEXT NOT NULL, fields TEXT NOT NULL
);
CREATE INDEX events_run ON events (run);
CREATE TABLE hardware (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, at REAL NOT NULL, data TEXT NOT NULL);
CREATE INDEX hardware_run ON hardware (run, at);
"""

# version → SQL that leads to it from the one before.
_MIGRATIONS: dict[int, str] = {1: _TABLES}


class Database:
    """Connections to one ledger file, shared by threads: any number of readers, one writer at a time.

    Raises:
        LedgerError: from every method, with a sentence.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._writing = threading.RLock()
        self._closed = False
        with complaints(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect()
            try:
                _migrate(connection, path)
            except BaseException:
                connection.close()
                raise
            self._idle.put(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with, in a state of its own."""
        with complaints(self.path):
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is written, or nothing."""
        with self._writing, complaints(self.path):
            connection = self._take()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                try:
                    if connection.in_transaction:  # left by an exception, or COMMIT found the disk full
                        connection.execute("ROLLBACK")
                finally:
                    self._give_back(connection)

    def close(self) -> None:
        """Close what is idle; what is in use closes when it is given back."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or self._idle.qsize() >= 8:
            connection.close()
        else:
            self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # two processes may start at once
    try:
        found = _version(connection)
        if found > VERSION:
            raise LedgerError(
                "this ledger was written by a newer workbench", where=str(path), mend="Update lora-workbench."
            )
        for version in range(found + 1, VERSION + 1):
            for statement in _MIGRATIONS[version].split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def complaints(where: Path) -> Iterator[None]:
    """SQLite's and the file system's errors as a `LedgerError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _sentence(str(error), where) from error
    except OSError as error:
        raise _of_os(error, where) from error


def _of_os(error: OSError, where: Path) -> LedgerError:
    place = str(error.filename or where)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _full(place)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _read_only(place)
    return LedgerError(f"the ledger's files cannot be used ({error.strerror or error})", where=place)


def _sentence(said: str, where: Path) -> LedgerError:
    place = str(where)
    low = said.lower()
    if "full" in low or "disk i/o" in low:
        # Out of space in WAL mode surfaces as either of the two.
        return _full(place)
    if "readonly" in low or "unable to open" in low or "permission" in low:
        return _read_only(place)
    if "locked" in low or "busy" in low:
        return LedgerError(
            "another program has been writing to the ledger for too long", where=place, mend="Close it and try again."
        )
    if "malformed" in low or "not a database" in low:
        return LedgerError(
            "the ledger is damaged", where=place, mend="Move the file away; the logs beside it stay readable."
        )
    return LedgerError(f"the ledger cannot be used ({said})", where=place)


def _full(place: str) -> LedgerError:
    return LedgerError(
        "the disk is full, nothing more of this run is recorded",
        where=place,
        mend="Make room; recording goes on by itself, and the job itself is not touched.",
    )


def _read_only(place: str) -> LedgerError:
    return LedgerError("the ledger cannot be written here", where=place, mend="Check the folder's permissions.")
