"""Files and folders on this machine as datasets, whole and damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import DataError, NotFoundError, WorkbenchError
from workbench.hub import local_files, rows, tolerant
from workbench.hub.client import Hub
from workbench.hub.files import lines
from workbench.settings import Settings

HUB = Hub(Settings(endpoint="http://127.0.0.1:1", token=None, viewer=""))
ROWS = [{"question": f"How much is {n} and {n}?", "answer": 2 * n} for n in range(30)]


def written(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def json_lines(items: list[Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def parquet(path: Path, items: list[dict[str, Any]], group: int = 1000) -> str:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(items), path, row_group_size=group)
    return str(path)


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    csv = "question,answer\n" + "".join(f'"{row["question"]}",{row["answer"]}\n' for row in ROWS)
    given_files = [
        written(tmp_path / "a.jsonl", json_lines(ROWS)),
        written(tmp_path / "lines.json", json_lines(ROWS)),
        written(tmp_path / "list.json", json.dumps(ROWS, indent=2)),
        written(tmp_path / "inside.json", json.dumps({"version": 1, "data": ROWS})),
        written(tmp_path / "a.csv", csv),
        written(tmp_path / "a.tsv", csv.replace(",", "\t")),
        written(tmp_path / "bom.csv", "\ufeff" + csv.replace("\n", "\r\n")),
        parquet(tmp_path / "a.parquet", ROWS, group=4),
    ]
    for path in given_files:
        assert rows.is_local(path)
        page = rows.rows(HUB, path, "default", "train", offset=5, limit=7)
        assert list(page.rows) == ROWS[5:12], path
        assert page.columns == {"question": "string", "answer": "int64"}, path
        assert (page.source, page.problem, page.total) == ("file", "", 30), path
        assert [(s.config, s.split, s.rows) for s in rows.splits(HUB, path)] == [("default", "train", 30)], path


def test_a_folder_has_splits_by_file_name(tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "train-00000.parquet", ROWS[:10])
    parquet(tmp_path / "data" / "train-00001.parquet", ROWS[10:20])
    written(tmp_path / "data" / "test.jsonl", json_lines(ROWS[20:]))
    written(tmp_path / "README.md", "# no data")
    found = {item.split: item.rows for item in rows.splits(HUB, str(tmp_path))}
    assert found == {"train": 20, "test": 10}
    assert list(rows.rows(HUB, str(tmp_path), "default", "train", offset=8, limit=4).rows) == ROWS[8:12]
    assert list(rows.rows(HUB, str(tmp_path), "default", "train", offset=18, limit=9).rows) == ROWS[18:20]
    with pytest.raises(NotFoundError, match="train, test"):
        rows.rows(HUB, str(tmp_path), "default", "validation")


def test_broken_json_lines(tmp_path: Path) -> None:
    text = json_lines(ROWS[:3]) + '{"question": "cut\n' + "[1, 2]\n\n" + json_lines(ROWS[3:])
    page = rows.rows(HUB, written(tmp_path / "bad.jsonl", text), "default", "train", limit=100)
    assert list(page.rows) == ROWS
    assert "bad.jsonl: line 4 is not valid JSON" in page.problem
    assert "line 5 is no JSON object" in page.problem


def test_a_json_list_that_breaks_off(tmp_path: Path) -> None:
    text = json.dumps(ROWS, indent=1)
    page = rows.rows(HUB, written(tmp_path / "cut.json", text[: len(text) // 2]), "default", "train")
    assert 5 < len(page.rows) < 30
    assert list(page.rows) == ROWS[: len(page.rows)]
    assert "cut.json: line" in page.problem


def test_a_line_too_long_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tolerant, "LONGEST_LINE", 2_000_000)
    huge = json.dumps({"question": "x" * 5_000_000, "answer": 0})
    page = rows.rows(
        HUB,
        written(tmp_path / "a.jsonl", json_lines(ROWS[:2]) + huge + "\n" + json_lines(ROWS[2:4])),
        "default",
        "train",
    )
    assert list(page.rows) == ROWS[:4]
    assert "line 3 is longer than 2 MB" in page.problem


def test_a_stray_quote_in_csv_costs_one_line(tmp_path: Path) -> None:
    good = [f"q{n},a{n}\n" for n in range(1200)]
    text = "question,answer\n" + "".join(good[:10]) + 'what "now,a\n' + "".join(good[10:])
    page = rows.rows(HUB, written(tmp_path / "a.csv", text), "default", "train", limit=2000)
    assert len(page.rows) == 1200
    assert page.rows[10] == {"question": "q10", "answer": "a10"}
    assert "line 12 opens a quote" in page.problem


def test_csv_cells_over_several_lines_and_rows_too_short(tmp_path: Path) -> None:
    text = 'question,answer,score\n"two\nlines",b,1.5\nshort,row\nc,,2\n'
    page = rows.rows(HUB, written(tmp_path / "a.csv", text), "default", "train")
    assert list(page.rows) == [
        {"question": "two\nlines", "answer": "b", "score": 1.5},
        {"question": "c", "answer": None, "score": 2.0},
    ]
    assert "line 4 has 2 cells where the header has 3" in page.problem


def test_mixed_types_in_a_column(tmp_path: Path) -> None:
    items = [{"a": 1, "b": None}, {"a": "one", "b": None}, {"a": [1]}]
    page = rows.rows(HUB, written(tmp_path / "a.jsonl", json_lines(items)), "default", "train")
    assert page.columns == {"a": "mixed", "b": "null"}
    assert len(page.rows) == 3


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.parquet", b"PAR1 nothing of the kind", "no readable Parquet"),
        ("a.jsonl", b"\x00\xff\xfe broken", "not valid JSON"),
        ("a.json", b"hello", "neither a JSON list nor JSON lines"),
        ("a.txt", b"hello", "no data file we read"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    path = written(tmp_path / name, content)
    if name == "a.txt":
        path = str(tmp_path / "a.txt")
    with pytest.raises(DataError, match=word) as caught:
        rows.rows(HUB, path, "default", "train")
    assert name in caught.value.sentence()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        rows.splits(HUB, str(tmp_path / "missing.jsonl"))
    with pytest.raises(DataError, match="no data file"):
        rows.splits(HUB, str(tmp_path))
    assert rows.rows(HUB, written(tmp_path / "empty.jsonl", ""), "default", "train").rows == ()
    assert rows.rows(HUB, written(tmp_path / "empty.csv", ""), "default", "train").rows == ()
    assert rows.is_local("./nowhere.csv")
    assert not rows.is_local("owner/name")


def test_a_small_page_of_a_big_file_is_read_in_small_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "big.jsonl"
    line = json.dumps({"text": "word " * 400}) + "\n"
    with path.open("w") as handle:
        for _ in range(20_000):  # 40 MB
            handle.write(line)
    tracemalloc.start()
    try:
        page = rows.rows(HUB, str(path), "default", "train", limit=50)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(page.rows) == 50
    assert peak < 20_000_000


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(1, 7))
def test_lines_are_those_of_the_bytes(parts: list[bytes], size: int) -> None:
    whole = b"".join(parts)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    expected = whole.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    if not whole.startswith(b"\xef\xbb\xbf"[:1]):  # a byte order mark is taken off, possibly in part
        assert [text for _, text in lines(iter(pieces), longest=1000)] == [
            item.decode("utf-8", errors="replace") for item in expected
        ]


@given(st.text(max_size=300), st.sampled_from([".jsonl", ".json", ".csv", ".tsv"]))
def test_any_text_is_rows_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str) -> None:
    path = tmp_path_factory.mktemp("any") / f"a{suffix}"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        page = local_files.rows(path, "train", offset=0, limit=50)
    except WorkbenchError as error:
        assert f"a{suffix}" in error.sentence()
    else:
        assert all(isinstance(row, dict) for row in page.rows)
