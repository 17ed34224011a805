"""`datasets.load_dataset` against the local Hub, plain and streaming, and the dataset viewer's routes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.conftest import raw

if TYPE_CHECKING:
    from pathlib import Path

    from huggingface_hub import HfApi

    from workbench.local.serve import LocalServer

ROWS = [{"messages": [{"role": "user", "content": f"q{at}"}], "n": at, "x": at / 3} for at in range(250)]
PAIRS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def dataset(api: HfApi, request: pytest.FixtureRequest) -> str:
    name = "demo/" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    api.delete_repo(name, repo_type="dataset", missing_ok=True)
    api.create_repo(name, repo_type="dataset")
    return name


def put(api: HfApi, name: str, files: dict[str, bytes]) -> None:
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(path, data) for path, data in files.items()]
    api.create_commit(name, operations, commit_message="files", repo_type="dataset")


def get(server: LocalServer, path: str) -> Any:
    answer = raw(server, "GET", path)
    assert answer.status == 200, answer.body
    return answer.json()


CONFIGS = b"""---
configs:
- config_name: plain
  data_files:
  - split: train
    path: plain/train.jsonl
  - split: test
    path: plain/test.jsonl
- config_name: pairs
  data_files: pairs.jsonl
---
"""


def test_load_dataset(api: HfApi, server: LocalServer, dataset: str, tmp_path: Path) -> None:
    import datasets

    put(api, dataset, {"train.jsonl": jsonl(ROWS), "test.jsonl": jsonl(ROWS[:7])})
    found = datasets.load_dataset(dataset, token=server.token, cache_dir=str(tmp_path))
    assert {split: part.num_rows for split, part in found.items()} == {"train": 250, "test": 7}
    assert found["train"][249] == ROWS[249]


def test_load_dataset_streaming_with_configs(api: HfApi, server: LocalServer, dataset: str) -> None:
    import datasets

    files = {"plain/train.jsonl": jsonl(ROWS), "plain/test.jsonl": jsonl(ROWS[:3]), "pairs.jsonl": jsonl(PAIRS)}
    put(api, dataset, {"README.md": CONFIGS, **files})
    assert datasets.get_dataset_config_names(dataset, token=server.token) == ["plain", "pairs"]
    stream = datasets.load_dataset(dataset, "plain", split="train", streaming=True, token=server.token)
    assert list(stream.take(3)) == ROWS[:3]
    table = datasets.load_dataset(dataset, "pairs", split="train", streaming=True, token=server.token)
    assert list(table) == PAIRS


def test_parquet_is_read_by_ranges(api: HfApi, server: LocalServer, dataset: str, tmp_path: Path) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": [f"row {at} " * 20 for at in range(5000)]}), path, row_group_size=500)
    put(api, dataset, {"data/train.parquet": path.read_bytes()})
    stream = datasets.load_dataset(dataset, split="train", streaming=True, token=server.token)
    assert next(iter(stream.skip(4321)))["text"].startswith("row 4321 ")


def test_the_viewer_tells_splits_rows_and_sizes(api: HfApi, server: LocalServer, dataset: str) -> None:
    files = {"plain/train.jsonl": jsonl(ROWS), "plain/test.jsonl": jsonl(ROWS[:3]), "pairs.jsonl": jsonl(PAIRS)}
    put(api, dataset, {"README.md": CONFIGS, **files})
    assert get(server, f"/is-valid?dataset={dataset}") == {
        "preview": True,
        "viewer": True,
        "search": False,
        "filter": False,
        "statistics": False,
    }
    splits = get(server, f"/splits?dataset={dataset}")["splits"]
    assert [(one["config"], one["split"]) for one in splits] == [
        ("plain", "train"),
        ("plain", "test"),
        ("pairs", "train"),
    ]
    where = f"dataset={dataset}&config=plain&split=train"
    first = get(server, f"/first-rows?{where}")
    assert [row["row"] for row in first["rows"]] == ROWS[:100]
    assert first["truncated"] is True
    assert [feature["name"] for feature in first["features"]] == ["messages", "n", "x"]
    page = get(server, f"/rows?{where}&offset=240&length=50")
    assert [row["row_idx"] for row in page["rows"]] == list(range(240, 250))
    assert page["rows"][0]["row"] == ROWS[240]
    assert (page["num_rows_total"], page["partial"]) == (250, False)
    size = get(server, f"/size?dataset={dataset}")["size"]
    assert [(one["split"], one["num_rows"]) for one in size["splits"]] == [("train", 250), ("test", 3), ("train", 2)]
    assert size["dataset"]["num_rows"] == 255
    info = get(server, f"/info?dataset={dataset}&config=plain")["dataset_info"]
    assert info["splits"]["train"]["num_examples"] == 250
    assert info["features"]["n"] == {"dtype": "int64", "_type": "Value"}
    assert get(server, f"/parquet?dataset={dataset}")["parquet_files"] == []
    assert len(get(server, f"/rows?{where}&offset=5000")["rows"]) == 0


def test_the_viewer_follows_a_new_commit(api: HfApi, server: LocalServer, dataset: str) -> None:
    where = f"/rows?dataset={dataset}&config=default&split=train"
    put(api, dataset, {"train.jsonl": jsonl([{"a": 1}])})
    assert [row["row"] for row in get(server, where)["rows"]] == [{"a": 1}]
    put(api, dataset, {"train.jsonl": jsonl([{"a": 2}, {"a": 3}])})
    assert [row["row"] for row in get(server, where)["rows"]] == [{"a": 2}, {"a": 3}]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("splits", 422, "MissingRequiredParameter"),
        ("splits?dataset=demo/never-made", 404, "ExternalAuthenticatedError"),
        ("rows?dataset={name}&config=nope&split=train", 404, "ConfigNotFoundError"),
        ("rows?dataset={name}&config=default&split=nope", 404, "SplitNotFoundError"),
        ("rows?dataset={name}&config=default", 422, "MissingRequiredParameter"),
        ("rows?dataset={name}&config=default&split=train&length=101", 422, "InvalidParameter"),
        ("rows?dataset={name}&config=default&split=train&offset=-1", 422, "InvalidParameter"),
        ("statistics?dataset={name}&config=default&split=train", 501, "NotImplementedError"),
    ],
)
def test_the_viewers_refusals(
    api: HfApi, server: LocalServer, dataset: str, query: str, status: int, code: str
) -> None:
    put(api, dataset, {"train.jsonl": jsonl([{"a": 1}])})
    answer = raw(server, "GET", "/" + query.format(name=dataset))
    assert (answer.status, answer.headers["x-error-code"]) == (status, code)
    assert answer.json()["error"]


def test_a_dataset_with_a_broken_line_is_a_500_with_the_cause(api: HfApi, server: LocalServer, dataset: str) -> None:
    put(api, dataset, {"train.jsonl": jsonl([{"a": 1}]) + b'{"a": 2\n' + jsonl([{"a": 3}])})
    answer = raw(server, "GET", f"/first-rows?dataset={dataset}&config=default&split=train")
    assert (answer.status, answer.headers["x-error-code"]) == (500, "DatasetGenerationError")
    assert answer.json()["cause_exception"]
    assert get(server, f"/is-valid?dataset={dataset}")["viewer"] is False
    assert len(get(server, f"/splits?dataset={dataset}")["splits"]) == 1


def test_an_empty_dataset_is_a_500_with_a_sentence(server: LocalServer, dataset: str) -> None:
    answer = raw(server, "GET", f"/splits?dataset={dataset}")
    assert (answer.status, answer.headers["x-error-code"]) == (500, "ConfigNamesError")


def test_numbers_that_json_does_not_have_become_null(api: HfApi, server: LocalServer, dataset: str) -> None:
    put(api, dataset, {"train.csv": b"a,b\n1.5,x\nnan,y\n"})
    rows = get(server, f"/rows?dataset={dataset}&config=default&split=train")["rows"]
    assert [row["row"]["a"] for row in rows] == [1.5, None]


def test_every_sample_dataset_that_may_be_read_loads_or_says_why(api: HfApi, server: LocalServer) -> None:
    seen = {}
    for one in api.list_datasets(author="sample-lab"):
        answer = raw(server, "GET", f"/splits?dataset={one.id}")
        seen[one.id] = answer.status if one.gated else get(server, f"/is-valid?dataset={one.id}")["viewer"]
    assert sum(value is True for value in seen.values()) >= 10, seen
