"""`python -m workbench.local.supervisor JOBDIR`: runs one job from start to end, whatever happens to the server.

It alone writes `status.json` and `log.jsonl`. The server hands it the job's lock (an open file the kernel frees with
this process), so "is the supervisor alive" is a question the kernel answers. Cancelling is a file named `cancel`.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.local.files import now_iso, read_json, write_json
from workbench.local.jobenv import job_environment
from workbench.local.joblog import STARTED, LogWriter
from workbench.local.processes import kill_leftovers, signal_group

_BEAT = 0.1  # seconds between looks at the clock and at `cancel`
_DRAIN = 2.0  # how long to read on after the job's end, if something still holds its output


class Supervisor:
    """One job. `run` returns when the job has ended and its end is on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record: dict[str, Any] = read_json(folder / "spec.json")
        self.spec: dict[str, Any] = self.record["spec"]
        self.status: dict[str, Any] = read_json(folder / "status.json")
        self.log = LogWriter(folder / "log.jsonl")
        self.stopped: str | None = None  # why we end the job: "cancel", "timeout", "shutdown"
        self._signalled = False

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        secrets = read_json(self.folder / "secrets.json") or {}
        env = job_environment(self.folder, self.record["id"], self.record["runtime"], self.spec["environment"], secrets)
        deadline = time.monotonic() + self.spec["timeout_seconds"]
        attempts = int(self.spec["attempts"])
        code = 0
        for attempt in range(1, attempts + 1):
            message = f"Attempt {attempt} of {attempts}" if attempt > 1 else None
            code = self._attempt(env, deadline, attempt, message)
            if code == 0 or self.stopped is not None:
                break
        self._end(code)

    def _on_signal(self, *_: object) -> None:
        self._signalled = True

    def _write(self, **changes: Any) -> None:
        self.status |= {**changes, "updatedAt": now_iso()}
        write_json(self.folder / "status.json", self.status)

    def _attempt(self, env: dict[str, str], deadline: float, attempt: int, message: str | None) -> int:
        """Run the command once. Returns its exit code, as a shell would give it."""
        now = datetime.now(UTC)
        self.log.line(f"{STARTED} at {now:%Y-%m-%d %H:%M:%S} =====")
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                [*self.spec["command"], *self.spec["arguments"]],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd=self.folder / "work",
                env=env,
                start_new_session=True,
                preexec_fn=None if self.record["runtime"]["gpus"] else _be_polite,
            )
        except (OSError, ValueError) as error:
            os.close(reading)
            self._write(stage="RUNNING", startedAt=self.status["startedAt"] or now_iso(now))
            self.log.line(f"workbench: {self.spec['command'][0]} could not be started: {_reason(error)}")
            return 127
        finally:
            os.close(writing)
        try:
            self._write(
                stage="RUNNING",
                message=message,
                startedAt=self.status["startedAt"] or now_iso(now),
                pid=process.pid,
                attempt=attempt,
            )
            self._watch(process, reading, deadline)
            kill_leftovers(
                self.record["id"], process.pid
            )  # before it is reaped, so the group's number is still its own
            self._drain(reading)
        finally:
            os.close(reading)
            self.log.flush()
        code = process.wait()
        return 128 - code if code < 0 else code

    def _watch(self, process: subprocess.Popen[bytes], reading: int, deadline: float) -> None:
        """Log what comes until the command has ended; stop it when it must."""
        group, kill_at, open_end = process.pid, float("inf"), True
        exited = _exit_watch(process)
        while not exited():
            if open_end and select.select([reading], [], [], _BEAT)[0]:
                data = os.read(reading, 1 << 16)
                open_end = bool(data)
                self.log.feed(data)
            elif not open_end:  # it closed its output and runs on
                time.sleep(_BEAT / 5)
            now = time.monotonic()
            if self.stopped is None:
                self.stopped = self._why_stop(now, deadline)
                if self.stopped is not None:
                    signal_group(group, signal.SIGTERM)
                    kill_at = now + float(self.record["runtime"]["kill_grace"])
            elif now >= kill_at:
                kill_leftovers(self.record["id"], group)
                kill_at = now + 1.0

    def _why_stop(self, now: float, deadline: float) -> str | None:
        if now >= deadline:
            return "timeout"
        if self._signalled:
            return "shutdown"
        if (self.folder / "cancel").exists():
            return "cancel"
        return None

    def _drain(self, reading: int) -> None:
        end = time.monotonic() + _DRAIN
        while select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
            data = os.read(reading, 1 << 16)
            if not data:
                return
            self.log.feed(data)

    def _end(self, code: int) -> None:
        (self.folder / "secrets.json").unlink(missing_ok=True)
        stage, message = "ERROR", f"Job failed with exit code: {code}"
        if self.stopped == "cancel":
            stage, message = "CANCELED", ""
        elif self.stopped == "timeout":
            message = "Job timeout"
        elif self.stopped == "shutdown":
            message = "The job's supervisor was told to stop"
        elif code == 0:
            stage, message = "COMPLETED", ""
        elif code == 137:
            message += ". It was killed; a lack of memory is the usual reason"
        self.log.close()
        self._write(stage=stage, message=message or None, finishedAt=now_iso(), exitCode=code)


def _exit_watch(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Whether a process has ended, without reaping it where the system can tell (Linux)."""
    if not hasattr(os, "waitid"):
        return lambda: process.poll() is not None
    options = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return lambda: os.waitid(os.P_PID, process.pid, options) is not None


def _be_polite() -> None:
    """CPU jobs share the machine with the screen that watches them."""
    os.nice(5)


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def main(arguments: list[str]) -> int:
    Supervisor(Path(arguments[0])).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
