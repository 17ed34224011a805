"""The environment a job runs in: small, its own folders, nothing of the user's that it does not need."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.local.processes import MARK

# Taken over from the server's environment: how this machine reaches its GPU, its network, its package index.
_KEPT = frozenset({"LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"})
_KEPT_STARTS = ("CUDA_", "NVIDIA_", "UV_", "PIP_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})

# Written into `bin/uv`. The stand-in is a file of its own, so it runs whatever folder the job is in.
_STAND_IN = '#!/bin/sh\nexec "{python}" -P "{script}" "$@"\n'


def write_stand_in(bin_dir: Path) -> None:
    """Put the `uv` stand-in into `bin_dir` (made if missing)."""
    from workbench.local.files import private_folder, write_atomic

    script = Path(__file__).with_name("uv_standin.py")
    text = _STAND_IN.format(python=sys.executable, script=script)
    write_atomic(private_folder(bin_dir) / "uv", text.encode(), mode=0o700)


def job_environment(
    folder: Path,
    job_id: str,
    runtime: Mapping[str, Any],
    wanted: Mapping[str, str],
    secrets: Mapping[str, str],
) -> dict[str, str]:
    """The job's whole environment. `wanted` (the job's own variables) wins over ours, secrets over both.

    `runtime` is what the server wrote beside the spec: `flavor`, `gpus`, `bin`, `hf_home`, `cache`, `url` (of the Hub
    on this machine, or None).
    """
    outer = os.environ
    env = {key: value for key, value in outer.items() if key in _KEPT or key.startswith(_KEPT_STARTS)}
    env |= {key: value for key, value in outer.items() if key.lower() in _PROXIES}
    env.setdefault("LANG", "C.UTF-8")
    path = [str(runtime["bin"]), str(Path(sys.executable).parent), outer.get("PATH", os.defpath)]
    cpus = str(_cpus())
    env |= {
        "PATH": os.pathsep.join(path),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONUNBUFFERED": "1",
        "HF_HOME": str(runtime["hf_home"]),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # As on Hugging Face Jobs.
        "JOB_ID": job_id,
        "ACCELERATOR": str(runtime["flavor"]) if runtime["gpus"] else "",
        "CPU_CORES": cpus,
        MARK: job_id,
        "WORKBENCH_JOB_GPUS": str(runtime["gpus"]),
    }
    # One cache of packages for all jobs: a GPU job's environment is gigabytes.
    env.setdefault("UV_CACHE_DIR", str(Path(runtime["cache"]) / "uv"))
    if runtime.get("url"):
        env["HF_ENDPOINT"] = str(runtime["url"])
        for key in ("NO_PROXY", "no_proxy"):
            env[key] = ",".join(part for part in (env.get(key, ""), "127.0.0.1", "localhost") if part)
    if not runtime["gpus"]:
        # A CPU flavor is a promise: the job must not find the GPU, nor start more threads than there are cores.
        env["CUDA_VISIBLE_DEVICES"] = ""
        for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            env[key] = outer.get(key, cpus)
    return {**env, **wanted, **secrets, MARK: job_id}


def _cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
