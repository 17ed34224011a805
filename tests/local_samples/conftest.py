"""The sample Hub's contents, built once for all tests here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.local import samples


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    samples.build(folder)
    return folder


@pytest.fixture(scope="session")
def load(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`load(name, config=None)`: the dataset as `datasets.load_dataset` gives it, from a plain folder."""
    cache = tmp_path_factory.mktemp("datasets-cache")

    def loader(name: str, config: str | None = None) -> Any:
        from datasets import load_dataset

        return load_dataset(str(built / "datasets" / "sample-lab" / name), config, cache_dir=str(cache))

    return loader


def sidecars(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """repo id → its sidecar."""
    found = sorted((folder / kind).glob("*/*.json"))
    return {f"{path.parent.name}/{path.stem}": json.loads(path.read_text()) for path in found}
