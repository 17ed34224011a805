"""Starting, finding and stopping the local server.

`ensure_server` is what the rest of the program calls: it hands back the healthy server of a folder, or starts one as
a process of its own, so that jobs and the Hub outlive the screens. `python -m workbench.local.serve` is that process.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.errors import WorkbenchError
from workbench.local.files import FileLock, lock_is_held, private_folder, read_json

HOST = "127.0.0.1"
_started: list[subprocess.Popen[bytes]] = []  # kept, so that an ended server is reaped by the next start


@dataclass(frozen=True)
class LocalServer:
    """A running server: its base URL (no trailing slash), the bearer token, and its folder."""

    url: str
    token: str = field(repr=False)
    root: Path


def ensure_server(root: Path, *, hub: bool, timeout: float = 60) -> LocalServer:
    """The healthy server of `root`, started if there is none. Safe to call from many processes at once.

    Raises:
        WorkbenchError: the folder cannot be used, the server did not start (its own sentence), or it did not answer
            within `timeout` seconds.
    """
    root = Path(root).absolute()
    try:
        private_folder(root)
        root.chmod(0o700)
        lock = FileLock(root / "start.lock")
        end = time.monotonic() + timeout
        while not lock.acquire():
            if time.monotonic() > end:
                raise _silent(root, timeout)
            time.sleep(0.05)
    except OSError as error:
        raise folder_problem(root, error) from error
    try:
        return _find_or_start(root, hub, end, timeout)
    except OSError as error:
        raise folder_problem(root, error) from error
    finally:
        lock.close()


def stop_server(root: Path) -> None:
    """Ask the server of `root` to end and wait for it. Jobs go on under their own supervisors."""
    root = Path(root).absolute()
    record = read_json(root / "server.json")
    if not record or not lock_is_held(root / "server.lock"):
        return
    for sign, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 4.0)):
        try:
            os.kill(int(record["pid"]), sign)
        except ProcessLookupError:
            return
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if not lock_is_held(root / "server.lock"):
                return
            time.sleep(0.02)


def folder_problem(root: Path, error: OSError) -> WorkbenchError:
    """A sentence for a folder that cannot be made, read or written."""
    mend = "Check its owner and mode, and the space left on the disk."
    return WorkbenchError(f"the local server's folder cannot be used ({error.strerror})", where=str(root), mend=mend)


def _find_or_start(root: Path, hub: bool, end: float, timeout: float) -> LocalServer:
    log = root / "server.log"
    said_before = log.stat().st_size if log.exists() else 0
    process: subprocess.Popen[bytes] | None = None
    while True:
        record = read_json(root / "server.json")
        if record and lock_is_held(root / "server.lock") and answers(record):
            if bool(record["hub"]) != hub:
                raise WorkbenchError(
                    "a local server of the other kind runs in this folder",
                    where=str(root),
                    mend="Stop it, or use another folder.",
                )
            if record.get("version") == __version__:
                token = (root / "token").read_text(encoding="ascii").strip()
                return LocalServer(url=str(record["url"]), token=token, root=root)
            stop_server(root)  # left over from another release; its jobs go on
        if process is None and not lock_is_held(root / "server.lock"):
            process = _spawn(root, hub, log)
        elif process is not None and process.poll() is not None:
            raise _refused(root, log, said_before)
        if time.monotonic() > end:
            raise _silent(root, timeout)
        time.sleep(0.03)


def _spawn(root: Path, hub: bool, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "workbench.local.serve", "--root", str(root), *(["--hub"] if hub else [])]
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            env=package_environment(),
            cwd=root,
            start_new_session=True,
        )
    finally:
        os.close(handle)
    _started[:] = [one for one in _started if one.poll() is None]
    _started.append(process)
    return process


def package_environment() -> dict[str, str]:
    """Our environment, with this package importable in a child even when it is not installed."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *(part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != here)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def answers(record: dict[str, Any]) -> bool:
    """Whether the server of this record is the one that answers there. The token is not sent to find out."""
    try:
        connection = http.client.HTTPConnection(HOST, int(record["port"]), timeout=2)
        try:
            connection.request("GET", "/healthz")
            reply = connection.getresponse()
            return reply.status == 200 and json.loads(reply.read()).get("instance") == record["instance"]
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False


def _refused(root: Path, log: Path, since: int) -> WorkbenchError:
    with log.open("rb") as file:
        file.seek(since)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    said = lines[-1].rstrip(".") if lines else "it ended at once"
    return WorkbenchError(f"the local server did not start: {said}", where=str(root), mend=f"See {log}.")


def _silent(root: Path, timeout: float) -> WorkbenchError:
    return WorkbenchError(
        f"the local server did not answer within {timeout:g} s",
        where=str(root),
        mend=f"See {root / 'server.log'}, then try again.",
    )


if __name__ == "__main__":
    from workbench.local.run import main

    raise SystemExit(main())
