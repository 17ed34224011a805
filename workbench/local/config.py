"""What one local server is made of: its folder, its account, its limits. Files under `root`:

token            the bearer token, mode 0600, made once
port             the port last bound, taken again at the next start so that running jobs still reach their Hub
server.json      the running server: address, process id, instance, version
server.lock      held (flock) by the running server for as long as it lives
server.log       what the detached server printed
jobs/<id>/       one job (see jobstore.py)
hub/             the repos (see store.py); only with `hub`
hf-home/, cache/ what jobs share instead of the user's own caches
bin/             first on a job's PATH: the `uv` stand-in
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class ServerConfig:
    """Settings of one server; seconds and bytes.

    Attributes:
        root: the folder everything lies in.
        hub: also serve the Hub routes (models, datasets, viewer), and point jobs at them.
        idle_seconds: the server ends after this long without a request and without a running job; 0 = never.
        body_limit: largest ordinary request body.
        upload_limit: largest commit or LFS object; these go to disk as they come.
        keepalive_seconds: how often a silent log stream says that it is still there (hub-contract §3.1: about 30).
        kill_grace: how long a cancelled or timed-out job has between TERM and KILL.
        default_timeout: seconds of a job that names no timeout (hub-contract §2.2: 30 minutes).
    """

    root: Path
    hub: bool = False
    idle_seconds: float = 600.0
    body_limit: int = 8 * MIB
    upload_limit: int = 32 * GIB
    keepalive_seconds: float = 25.0
    kill_grace: float = 5.0
    default_timeout: int = 1800

    @property
    def account(self) -> str:
        """The one account of this server; its namespace for jobs and repos."""
        return "demo"

    @property
    def fullname(self) -> str:
        return "Demo account" if self.hub else "This machine"

    @property
    def jobs_dir(self) -> Path:
        return self.root / "jobs"

    @property
    def hub_dir(self) -> Path:
        return self.root / "hub"

    @property
    def bin_dir(self) -> Path:
        return self.root / "bin"

    @property
    def hf_home(self) -> Path:
        return self.root / "hf-home"
