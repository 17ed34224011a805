"""The `uv` a job finds first: runs `uv run script.py` with this interpreter when it can, else hands over to uv.

It can when the job needs no GPU (its flavor has none, or this machine has none) and this interpreter already has the
training packages: then a job starts at once and without a network. Run as a file by `bin/uv`; standard library only.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

TRAIN_PACKAGES = ("torch", "trl", "peft", "datasets")

# Options of `uv` and `uv run` that take a value as the next argument; all others are flags.
_WITH_VALUE = frozenset(
    """
    --with --with-requirements --with-editable --python -p --python-platform --project --directory
    --package --extra --no-extra --group --no-group --only-group --env-file --index --default-index
    --index-url -i --extra-index-url --find-links -f --upgrade-package -P --reinstall-package --refresh-
    package --index-strategy --keyring-provider --resolution --prerelease --fork-strategy --exclude-
    newer --link-mode --config-setting -C --no-build-isolation-package --no-build-package --no-binary-
    package --cache-dir --color --config-file --allow-insecure-host --torch-backend --constraint
    --override --build-constraint -c -w
    """.split()  # noqa: SIM905 - a list of 45 lines is no better to read
)


def script_and_arguments(arguments: Sequence[str]) -> tuple[str, list[str]] | None:
    """The local script of a `uv run … script.py args…` and its arguments; None for any other use of uv."""
    rest = list(arguments)
    if _skip_options(rest) != "run":
        return None
    rest.pop(0)
    script = _skip_options(rest)
    if script is None or not script.endswith(".py") or not Path(script).is_file():
        return None
    return script, rest[1:]


def _skip_options(rest: list[str]) -> str | None:
    """Drop leading options; the first word that is none, or None. `-m` and `-` are no scripts."""
    while rest:
        word = rest[0]
        if word == "--":
            rest.pop(0)
            return rest[0] if rest else None
        if word in ("-", "-m", "--module"):
            return None
        if not word.startswith("-"):
            return word
        rest.pop(0)
        if word in _WITH_VALUE and rest:
            rest.pop(0)
    return None


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU (its driver's device is there)."""
    return any(Path(name).exists() for name in ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"))


def missing_packages() -> list[str]:
    return [name for name in TRAIN_PACKAGES if importlib.util.find_spec(name) is None]


def main(arguments: Sequence[str]) -> int:
    """Replaces this process; returns only when uv cannot be found."""
    found = script_and_arguments(arguments)
    if found is not None:
        gpu_wanted = os.environ.get("WORKBENCH_JOB_GPUS", "0") != "0"
        missing = missing_packages()
        if not (gpu_wanted and has_gpu()) and not missing:
            why = "no GPU" if not has_gpu() else "a CPU flavor"
            _say(
                f"running on this machine with Python {platform.python_version()} "
                f"({why}; the train packages of this environment)"
            )
            os.execv(sys.executable, [sys.executable, found[0], *found[1]])  # noqa: S606 - a list, no shell
        reason = "the job wants a GPU" if not missing else f"this environment lacks {', '.join(missing)}"
        _say(f"running on this machine with uv, in an environment of the script's own ({reason})")
    try:
        from uv import find_uv_bin

        uv = find_uv_bin()
    except (ImportError, FileNotFoundError):
        _say("uv is not installed here; install the `uv` package beside the workbench")
        return 127
    return os.execv(uv, [uv, *arguments])  # noqa: S606 - a list, no shell


def _say(text: str) -> None:
    print(f"workbench: {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
