"""A run's log on disk: one text file that only grows, and an index of where each line begins.

`<run>.log` holds a line as `seconds<TAB>text<NEWLINE>` ("-" when the time is unknown); a newline inside a line is
written as the control character RS and "n", RS itself twice. `<run>.idx` holds the byte offset of each line, eight
bytes little-endian, so any stretch of a log of any length is two short reads.

The database says how many lines and bytes count. What is beyond them when a writer opens the file was being written
when the program died: whole lines are handed over to be recorded, a torn last line is cut off.
"""

from __future__ import annotations

import fcntl
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from workbench.errors import LedgerError
from workbench.hub.records import LogLine

_RS = "\x1e"
_ENTRY = 8
_BLOCK = 1 << 20


def encode(line: LogLine) -> bytes:
    text = line.text
    if _RS in text or "\n" in text:
        text = text.replace(_RS, _RS + _RS).replace("\n", _RS + "n")
    at = "-" if line.at is None else f"{line.at:.6f}"
    return f"{at}\t{text}\n".encode("utf-8", "replace")


def decode(index: int, raw: bytes) -> LogLine:
    """One stored line without its newline."""
    stamp, _, rest = raw.partition(b"\t")
    text = rest.decode("utf-8", "replace")
    if _RS in text:
        text = _RS.join(part.replace(_RS + "n", "\n") for part in text.split(_RS + _RS))
    try:
        at = None if stamp == b"-" else float(stamp)
    except ValueError:
        at = None
    return LogLine(index, at, text)


def read_lines(folder: Path, run_id: str, start: int, count: int, *, lines: int, size: int) -> list[LogLine]:
    """Lines `start` … of the `lines` lines (`size` bytes) that count. A file that is gone reads as no lines."""
    start, stop = max(0, start), min(lines, start + count)
    if start >= stop:
        return []
    try:
        with (folder / f"{run_id}.idx").open("rb") as index:
            index.seek(start * _ENTRY)
            offsets = _offsets(index.read((stop - start + 1) * _ENTRY))
        with (folder / f"{run_id}.log").open("rb") as log:
            if len(offsets) < stop - start:
                return _scan(log.read(size), start, stop)
            end = size if stop == lines or len(offsets) == stop - start else offsets[stop - start]
            log.seek(offsets[0])
            data = log.read(end - offsets[0])
    except FileNotFoundError:
        return []
    rows = data.split(b"\n")
    rows.pop()  # what follows the last newline
    return [decode(start + number, raw) for number, raw in enumerate(rows[: stop - start])]


def _scan(data: bytes, start: int, stop: int) -> list[LogLine]:
    """The same without a usable index: the writer will mend it, a reader must not wait for that."""
    rows = data.split(b"\n")[:-1]
    return [decode(number, rows[number]) for number in range(start, min(stop, len(rows)))]


def _offsets(data: bytes) -> array[int]:
    offsets = array("Q")
    offsets.frombytes(data[: len(data) // _ENTRY * _ENTRY])
    return offsets


class LogWriter:
    """The one writer of a run's log, by a lock on the file that dies with the process.

    `lines` and `size` are what the files hold; `tail` what they hold beyond what the database knew, to be recorded
    now; `lost` is true when the files hold less than that (a power cut), so that everything must be read anew.

    Raises:
        LedgerError: another process writes this run.
        OSError: the files cannot be written.
    """

    def __init__(self, folder: Path, run_id: str, *, lines: int, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.run_id = run_id
        self._log = os.open(folder / f"{run_id}.log", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._idx = -1
        try:
            try:
                fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LedgerError("another workbench is recording this run", where=run_id) from error
            self._idx = os.open(folder / f"{run_id}.idx", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.lines, self.size = lines, size
            self.tail: list[LogLine] = []
            self.lost = False
            self._recover()
        except BaseException:
            self.close()
            raise

    def append(self, lines: Sequence[LogLine]) -> None:
        """Write lines at the end; if that fails, neither file keeps any of them."""
        parts = [encode(line) for line in lines]
        offsets = array("Q")
        at = self.size
        for part in parts:
            offsets.append(at)
            at += len(part)
        try:
            _write(self._log, b"".join(parts), self.size)
            _write(self._idx, offsets.tobytes(), self.lines * _ENTRY)
        except BaseException:
            self.cut(self.lines, self.size)
            raise
        self.lines += len(parts)
        self.size = at

    def cut(self, lines: int, size: int) -> None:
        """Back to a former length (a transaction did not come through)."""
        os.ftruncate(self._log, size)
        os.ftruncate(self._idx, lines * _ENTRY)
        self.lines, self.size = lines, size

    def all_lines(self) -> Iterator[list[LogLine]]:
        """Everything in the file, in blocks of some thousand lines."""
        index = 0
        rest = b""
        at = 0
        while at < self.size:
            block = os.pread(self._log, min(_BLOCK, self.size - at), at)
            if not block:
                break
            at += len(block)
            *rows, rest = (rest + block).split(b"\n")
            yield [decode(index + number, raw) for number, raw in enumerate(rows)]
            index += len(rows)

    def close(self) -> None:
        for handle in (self._idx, self._log):
            if handle >= 0:
                os.close(handle)
        self._idx = self._log = -1

    def _recover(self) -> None:
        held, entries = os.fstat(self._log).st_size, os.fstat(self._idx).st_size // _ENTRY
        if held == self.size and entries == self.lines and self._ends_well():
            return
        if held < self.size or entries < self.lines or not self._ends_well():
            self._reindex(held)
            return
        # The usual case after a crash: whole files, and something beyond what was committed.
        known = self.lines
        data = os.pread(self._log, held - self.size, self.size)
        whole = data[: data.rfind(b"\n") + 1]
        rows = whole.split(b"\n")[:-1]
        self.tail = [decode(known + number, raw) for number, raw in enumerate(rows)]
        offsets = array("Q")
        at = self.size
        for raw in rows:
            offsets.append(at)
            at += len(raw) + 1
        self.cut(known, at)
        _write(self._idx, offsets.tobytes(), known * _ENTRY)
        self.lines = known + len(rows)

    def _ends_well(self) -> bool:
        """The last line that counts begins where the index says, and ends with a newline."""
        if self.lines == 0:
            return self.size == 0
        last = _offsets(os.pread(self._idx, _ENTRY, (self.lines - 1) * _ENTRY))
        row = os.pread(self._log, self.size - last[0], last[0]) if last and last[0] < self.size else b""
        return row.endswith(b"\n") and row.count(b"\n") == 1

    def _reindex(self, held: int) -> None:
        """Read the whole log again: the index is damaged, or the log is shorter than the database says."""
        offsets = array("Q")
        at = start = 0
        committed = 0
        while at < held:
            block = os.pread(self._log, min(_BLOCK, held - at), at)
            if not block:
                break
            found = block.find(b"\n")
            while found >= 0:
                offsets.append(start)
                start = at + found + 1
                if start <= self.size:
                    committed += 1
                found = block.find(b"\n", found + 1)
            at += len(block)
        known, size = self.lines, self.size
        self.lost = committed != known or start < size
        self.cut(0, start)
        _write(self._idx, offsets.tobytes(), 0)
        self.lines = len(offsets)
        if not self.lost and start > size:
            data = os.pread(self._log, start - size, size)
            self.tail = [decode(known + number, raw) for number, raw in enumerate(data.split(b"\n")[:-1])]


def _write(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, at)
        view = view[written:]
        at += written
