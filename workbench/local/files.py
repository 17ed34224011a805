"""Small file habits this room shares: write whole or not at all, lock, and the clock as the wire writes it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def now_iso(at: datetime | None = None) -> str:
    """A time as the Hub writes it: `2026-05-12T14:57:43.123Z`. The client refuses anything but a final Z."""
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_iso(text: str) -> datetime:
    return datetime.fromisoformat(text)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace `path` by `data`; after a crash it holds the old or the new content, never a part."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, *, mode: int = 0o600) -> None:
    write_atomic(path, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), mode=mode)


def read_json(path: Path) -> Any:
    """The value in `path`, or None when the file is not there."""
    try:
        return json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
    except FileNotFoundError:
        return None


def private_folder(path: Path) -> Path:
    """Make `path` (mode 0700 if it is new) and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class FileLock:
    """An advisory lock on a file. The kernel frees it when its last holder dies, kill -9 included."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self, *, blocking: bool = False) -> bool:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def fileno(self) -> int:
        if self._handle is None:
            raise ValueError("the lock is not held")
        return self._handle

    def close(self) -> None:
        """Close our handle. The lock itself goes when no process holds a copy of the handle any more."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> FileLock:
        self.acquire(blocking=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock_is_held(path: Path) -> bool:
    """Whether some living process holds the lock on `path`."""
    lock = FileLock(path)
    if not path.exists():
        return False
    if lock.acquire():
        lock.close()
        return False
    return True
