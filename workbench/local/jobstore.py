"""Jobs on disk, and the processes that run them. A folder a job, `jobs/<id>/`:

    spec.json        what was asked for, and how this server runs it; never changed
    labels.json      the labels; written by the server
    status.json      stage and times; written by the job's supervisor only, while it lives
    log.jsonl        the log (joblog.py)
    secrets.json     the secrets' values, mode 0600; gone when the job has ended
    supervisor.lock  held by the supervisor for as long as it lives
    cancel           its presence asks the supervisor to stop the job
    work/ home/ tmp/ the job's own folders

Everything about a job is read from here, so a new server knows what the old one knew.
"""

from __future__ import annotations

import hmac
import re
import secrets as random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.local.config import ServerConfig
from workbench.local.files import FileLock, lock_is_held, now_iso, private_folder, read_json, write_json
from workbench.local.hardware import gpu_count
from workbench.local.jobenv import write_stand_in
from workbench.local.joblog import LogWriter
from workbench.local.jobspec import JobSpec
from workbench.local.processes import kill_leftovers
from workbench.local.serve import package_environment

TERMINAL = frozenset({"COMPLETED", "ERROR", "CANCELED", "DELETED"})
_ID = re.compile(r"^[0-9a-f]{24}$")


@dataclass(frozen=True)
class Job:
    """What is known of a job at one moment. `record` is spec.json, `status` status.json."""

    id: str
    folder: Path
    record: Mapping[str, Any]
    status: Mapping[str, Any]
    labels: Mapping[str, str]

    @property
    def stage(self) -> str:
        return str(self.status["stage"])

    @property
    def terminal(self) -> bool:
        return self.stage in TERMINAL

    @property
    def spec(self) -> JobSpec:
        return JobSpec(**self.record["spec"])


class SecretsGoneError(Exception):
    """A job cannot be started again: its secrets were deleted when it ended. `names` are the missing ones."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(", ".join(names))


class JobStore:
    """All jobs of a server. Every public method may be called from any thread."""

    def __init__(self, config: ServerConfig, *, url: str, token: str) -> None:
        self._config = config
        self._url = url
        self._token = token
        self._folder = private_folder(config.jobs_dir)
        for half_made in self._folder.glob(".new-*"):  # by a server that was killed, or a disk that was full
            shutil.rmtree(half_made, ignore_errors=True)
        self._lock = threading.Lock()
        self._records: dict[str, Mapping[str, Any]] = {}
        self._ended: dict[str, Mapping[str, Any]] = {}
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        private_folder(config.hf_home)
        write_stand_in(config.bin_dir)

    # -- starting ----------------------------------------------------------------------------------------------

    def start(
        self, spec: JobSpec, secrets: Mapping[str, str], labels: Mapping[str, str], initiator: Mapping[str, str]
    ) -> Job:
        """Put a job on disk and start its supervisor. Raises: OSError when the disk is full."""
        job_id = f"{int(time.time()):08x}{random.token_hex(8)}"
        folder = private_folder(self._folder / f".new-{job_id}")
        for name in ("work", "home", "tmp"):
            private_folder(folder / name)
        ours = [name for name, value in secrets.items() if hmac.compare_digest(value.encode(), self._token.encode())]
        record = {
            "id": job_id,
            "createdAt": now_iso(),
            "spec": spec.as_dict(),
            "initiator": dict(initiator),
            "ownTokenSecrets": ours,  # names only: these can be filled in again for a duplicate
            "runtime": {
                "flavor": spec.flavor,
                "gpus": gpu_count(spec.flavor),
                "bin": str(self._config.bin_dir),
                "hf_home": str(self._config.hf_home),
                "cache": str(private_folder(self._config.root / "cache")),
                "url": self._url if self._config.hub else None,
                "kill_grace": self._config.kill_grace,
            },
        }
        write_json(folder / "spec.json", record)
        write_json(folder / "labels.json", dict(labels))
        write_json(folder / "secrets.json", dict(secrets))
        write_json(folder / "status.json", {"stage": "SCHEDULING", "message": None, "startedAt": None, "attempt": 0})
        (folder / "log.jsonl").touch(mode=0o600)
        lock = FileLock(folder / "supervisor.lock")
        lock.acquire()
        try:
            place = folder.rename(self._folder / job_id)
            self._spawn(job_id, place, lock)
        finally:
            lock.close()  # the supervisor holds it now
        return self.job(job_id)

    def _spawn(self, job_id: str, folder: Path, lock: FileLock) -> None:
        with (folder / "supervisor.out").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "workbench.local.supervisor", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                env=package_environment(),
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
        with self._lock:
            self._children[job_id] = process

    def duplicate(self, job: Job) -> Job:
        """The same job once more. Raises: SecretsGoneError."""
        spec = job.spec
        known = read_json(job.folder / "secrets.json") or {}
        known |= dict.fromkeys(job.record["ownTokenSecrets"], self._token)
        gone = [name for name in spec.secret_names if name not in known]
        if gone:
            raise SecretsGoneError(gone)
        return self.start(spec, known, job.labels, {"type": "duplicated-job", "id": job.id})

    # -- looking -----------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Raises: KeyError for an id that is none, or of no job."""
        if not _ID.fullmatch(job_id):
            raise KeyError(job_id)
        folder = self._folder / job_id
        record = self._records.get(job_id) or read_json(folder / "spec.json")
        if record is None:
            raise KeyError(job_id)
        self._records[job_id] = record
        return Job(job_id, folder, record, self._status(job_id, folder), read_json(folder / "labels.json") or {})

    def jobs(self) -> Iterator[Job]:
        """Newest first."""
        jobs = [self.job(place.name) for place in self._folder.iterdir() if _ID.fullmatch(place.name)]
        yield from sorted(jobs, key=lambda job: (str(job.record["createdAt"]), job.id), reverse=True)

    def _status(self, job_id: str, folder: Path) -> Mapping[str, Any]:
        ended = self._ended.get(job_id)
        if ended is not None:
            return ended
        self._reap(job_id)
        status: Mapping[str, Any] = read_json(folder / "status.json")
        if status["stage"] not in TERMINAL and not lock_is_held(folder / "supervisor.lock"):
            status = self._bury(job_id, folder)
        if status["stage"] in TERMINAL:
            self._ended[job_id] = status
        return status

    def _bury(self, job_id: str, folder: Path) -> Mapping[str, Any]:
        """Write the end of a job whose supervisor has died, and end what it left running."""
        lock = FileLock(folder / "supervisor.lock")
        if not lock.acquire():
            status: dict[str, Any] = read_json(folder / "status.json")  # another look at it was faster
            return status
        try:
            status = read_json(folder / "status.json")
            if status["stage"] in TERMINAL:  # it ended between our two looks
                return status
            kill_leftovers(job_id, None)  # by the mark only: the group's number may be another's by now
            (folder / "secrets.json").unlink(missing_ok=True)
            log = LogWriter(folder / "log.jsonl")
            log.line("workbench: the job's supervisor died, so the job was ended")
            log.close()
            now = now_iso()
            status |= {
                "stage": "ERROR",
                "message": "The job's supervisor died; the job was ended",
                "finishedAt": now,
                "updatedAt": now,
            }
            write_json(folder / "status.json", status)
            return status
        finally:
            lock.close()

    # -- changing ----------------------------------------------------------------------------------------------

    def cancel(self, job: Job) -> None:
        """Ask for the job's end; it comes within the grace. Nothing happens to a job that has ended."""
        if not job.terminal:
            (job.folder / "cancel").touch(mode=0o600)

    def set_labels(self, job: Job, labels: Mapping[str, str]) -> None:
        write_json(job.folder / "labels.json", dict(labels))

    # -- keeping house -----------------------------------------------------------------------------------------

    def any_running(self) -> bool:
        return any(not job.terminal for job in self.jobs())

    def reap(self) -> None:
        for job_id in list(self._children):
            self._reap(job_id)

    def _reap(self, job_id: str) -> None:
        with self._lock:
            child = self._children.get(job_id)
            if child is not None and child.poll() is not None:
                del self._children[job_id]
