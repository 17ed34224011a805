"""The build as a whole: the same bytes every time, what the server needs beside each repo, sizes, and no torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.local_samples.conftest import sidecars
from workbench.local import samples

DATASETS = {
    "sums-in-words",
    "cafe-and-station-dialogues",
    "unit-conversion-alpaca",
    "word-problems",
    "calendar-and-clock",
    "small-tool-calls",
    "better-replies",
    "animals-and-colours",
    "better-replies-scored",
    "little-stories",
    "clock-thumbs-up-down",
    "support-dump-dirty",
}
MODELS = {"tiny-llama-2M", "tiny-qwen3-2M", "tiny-gemma3-2M"}

# Built in a process of its own, with one BLAS thread: other threads must not mean other bytes.
OTHER_BUILD = """
import json, sys
from pathlib import Path
from workbench.local import samples
heavy = ("numpy", "torch", "tokenizers", "transformers", "datasets", "pyarrow")
early = [name for name in heavy if name in sys.modules]
samples.build(Path(sys.argv[1]))
late = [name for name in ("torch", "transformers", "datasets") if name in sys.modules]
print(json.dumps({"early": early, "late": late}))
"""


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_two_builds_are_equal_byte_for_byte_and_need_no_torch(built: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    environment["PYTHONPATH"] = str(Path(samples.__file__).parents[3])
    command = [sys.executable, "-c", OTHER_BUILD, str(tmp_path / "other")]
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert json.loads(told) == {"early": [], "late": []}
    assert digests(tmp_path / "other") == digests(built)


def test_there_are_three_models_and_twelve_datasets(built: Path) -> None:
    assert set(sidecars(built, "models")) == {f"sample-lab/{name}" for name in MODELS}
    assert set(sidecars(built, "datasets")) == {f"sample-lab/{name}" for name in DATASETS}
    assert samples.ACCESSIBLE_MODEL in sidecars(built, "models")
    assert samples.EASY_DATASET in sidecars(built, "datasets")


def test_it_is_small(built: Path) -> None:
    total = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
    assert total < 25_000_000
    for name in MODELS:
        size = (built / "models" / "sample-lab" / name / "model.safetensors").stat().st_size
        assert 1_000_000 < size < 8_000_000, name


@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_sidecars_say_what_the_api_says(built: Path, kind: str) -> None:
    for repo, facts in sidecars(built, kind).items():
        assert facts["private"] is False
        assert facts["gated"] in (False, "auto", "manual")
        assert facts["accessible"] is (facts["gated"] is False), repo
        assert isinstance(facts["downloads"], int)
        assert isinstance(facts["likes"], int)
        assert isinstance(facts["trendingScore"], int)
        for key in ("createdAt", "lastModified"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", facts[key]), repo
        assert facts["createdAt"] <= facts["lastModified"]
        assert any(tag.startswith("license:") for tag in facts["tags"])
        if kind == "models":
            assert facts["pipeline_tag"] == "text-generation"
            assert facts["library_name"] == "transformers"
            assert {"transformers", "safetensors", "en"} <= set(facts["tags"])
        else:
            assert any(tag.startswith("task_categories:") for tag in facts["tags"])
            assert any(tag.startswith("size_categories:") for tag in facts["tags"])
            assert "language:en" in facts["tags"]
            assert facts["description"]


@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_every_card_has_front_matter_and_says_it_is_a_sample(built: Path, kind: str) -> None:
    for repo, facts in sidecars(built, kind).items():
        text = (built / kind / repo / "README.md").read_text(encoding="utf-8")
        _, head, body = text.split("---\n", 2)
        assert yaml.safe_load(head) == facts["cardData"]
        assert body.strip().startswith("# ")
        assert "sample made for the workbench's demo" in body
        assert len(body) > 700, repo


def test_one_model_and_one_dataset_are_gated(built: Path) -> None:
    gated = {
        kind: {repo: facts["gated"] for repo, facts in sidecars(built, kind).items() if facts["gated"]}
        for kind in ("models", "datasets")
    }
    assert gated == {
        "models": {"sample-lab/tiny-gemma3-2M": "manual"},
        "datasets": {"sample-lab/little-stories": "auto"},
    }
