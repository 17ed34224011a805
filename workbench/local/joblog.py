"""A job's log on disk: `log.jsonl`, one JSON object a line, exactly what goes after `data: ` on the wire.

Append-only and written in whole lines by one process (the supervisor), read by any number of streams. JSON with
every non-ASCII character escaped: U+0085, U+2028 and U+2029 would break the client's line splitter (hub-contract §3.1),
and a carriage return inside a progress bar stays where it was.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from workbench.local.files import now_iso

STARTED = "===== Job started"
_BLOCK = 1 << 16
# A line without an end is cut here, so that a job that prints no newline cannot fill our memory.
_LONGEST = 1 << 20


def encode_line(text: str, timestamp: str) -> bytes:
    return json.dumps({"data": text, "timestamp": timestamp}).encode("ascii") + b"\n"


class LogWriter:
    """Turns the bytes a job prints into lines of its log."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._partial = b""
        self._lost = 0
        if self._ends_inside_a_line(path):
            os.write(self._handle, b"\n")

    @staticmethod
    def _ends_inside_a_line(path: Path) -> bool:
        """Whether the last writer was killed in the middle of a write."""
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"

    def feed(self, data: bytes) -> None:
        """Log the complete lines in what was printed; the rest waits for its end."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        while len(self._partial) > _LONGEST:
            lines.append(self._partial[:_LONGEST])
            self._partial = self._partial[_LONGEST:]
        self._write([line.decode("utf-8", "replace") for line in lines])

    def flush(self) -> None:
        """Log what stands after the last newline."""
        if self._partial:
            self._write([self._partial.decode("utf-8", "replace")])
            self._partial = b""

    def line(self, text: str) -> None:
        self._write([text])

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        now = now_iso()
        if self._lost:
            lines = [f"workbench: {self._lost} lines could not be written, the disk was full", *lines]
        data = memoryview(b"".join(encode_line(text, now) for text in lines))
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            self._lost = 0
        except OSError:  # a full disk must not end the job; its log says so once there is room
            self._lost += len(lines) - (1 if self._lost else 0)

    def close(self) -> None:
        os.close(self._handle)


def as_events(lines: bytes) -> bytes:
    """Whole log lines as SSE events."""
    if not lines:
        return b""
    return b"data: " + lines[:-1].replace(b"\n", b"\n\ndata: ") + b"\n\n"


def whole_lines(data: bytes) -> bytes:
    """`data` up to its last newline, without the torn line a killed writer can leave behind."""
    kept = data[: data.rfind(b"\n") + 1]
    if b"}\n" in kept and kept.count(b"}\n") == kept.count(b"\n"):
        return kept
    return b"".join(line for line in kept.splitlines(keepends=True) if line.endswith(b"}\n"))


def tail_offset(file: BinaryIO, count: int) -> int:
    """Where the last `count` lines of a file begin; 0 when it has no more than that."""
    end = file.seek(0, os.SEEK_END)
    if count <= 0:
        return end
    at, missing = end, count + 1  # the newline that ends the line before the wanted ones
    while at > 0:
        step = min(_BLOCK, at)
        at -= step
        file.seek(at)
        block = file.read(step)
        position = len(block)
        while (position := block.rfind(b"\n", 0, position)) >= 0:
            missing -= 1
            if missing == 0:
                return at + position + 1
    return 0
