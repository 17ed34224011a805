"""Where the files under `assets/` are: beside the packages, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path


def asset(name: str) -> Path:
    """The path of `assets/NAME`.

    Raises:
        FileNotFoundError: the installation is broken.
    """
    path = Path(__file__).resolve().parent.parent / "assets" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: the installation is incomplete")
    return path
