"""The stores on disk by themselves: what a crash leaves, what a log line becomes."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.local.commits import read_commit
from workbench.local.joblog import LogWriter, as_events, encode_line, tail_offset, whole_lines
from workbench.local.seed import import_folder
from workbench.local.store import Entry, RepoStore, StoreError, checked_path, repo_id

REPO = repo_id("model", "demo", "r")


def entry(store: RepoStore, data: bytes) -> Entry:
    blob = store.put_bytes(data)
    return Entry(blob.oid, blob.sha256, blob.size)


def test_a_crash_before_the_refs_leaves_the_repo_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RepoStore(tmp_path)
    store.create(REPO, {})
    before = store.commit(REPO, "main", title="one", put={"a": entry(store, b"1")})
    from workbench.local import store as module

    real = module.write_json

    def dies(path: Path, value: object) -> None:
        if path.name == "refs.json":
            raise KeyboardInterrupt
        real(path, value)

    monkeypatch.setattr(module, "write_json", dies)
    with pytest.raises(KeyboardInterrupt):
        store.commit(REPO, "main", title="two", put={"a": entry(store, b"2")})
    monkeypatch.undo()
    again = RepoStore(tmp_path)
    assert again.resolve(REPO, "main").sha == before.sha
    assert again.read(again.resolve(REPO, "main").files["a"]) == b"1"


def test_half_written_content_is_gone_after_a_restart(tmp_path: Path) -> None:
    writer = RepoStore(tmp_path).writer()
    writer.write(b"half")
    assert list((tmp_path / "incoming").iterdir())
    RepoStore(tmp_path)
    assert not list((tmp_path / "incoming").iterdir())


def test_a_file_cannot_lie_below_a_file(tmp_path: Path) -> None:
    store = RepoStore(tmp_path)
    store.create(REPO, {})
    with pytest.raises(StoreError, match="below"):
        store.commit(REPO, "main", title="x", put={"a": entry(store, b"1"), "a/b": entry(store, b"2")})


@given(st.text(max_size=40))
def test_a_path_that_is_accepted_stays_inside(path: str) -> None:
    try:
        checked_path(path)
    except (StoreError, UnicodeEncodeError):
        return
    assert Path(os.path.normpath(f"/base/{path}")).is_relative_to("/base")
    assert os.path.normpath(path) == path


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 3_000_000), max_size=3), piece=st.sampled_from([977, 65536, 10_000_000]))
async def test_a_commit_is_read_the_same_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], piece: int
) -> None:
    store = RepoStore(tmp_path_factory.mktemp("store"))
    files = {f"f{at}": os.urandom(size) for at, size in enumerate(sizes)}
    items: list[dict[str, object]] = [{"key": "header", "value": {"summary": "s", "description": "d"}}]
    for at, (path, data) in enumerate(files.items()):
        content = base64.b64encode(data).decode()
        value = {"path": path, "content": content, "encoding": "base64"}
        if at % 2:  # keys in another order
            value = {"encoding": "base64", "content": content, "path": path}
        items.append({"key": "file", "value": value})
    body = b"".join(json.dumps(item).encode() + b"\n" for item in items)
    found = await read_commit(_pieces(body, piece), store)
    assert {path: store.read(one) for path, one in found.put.items()} == files
    assert (found.title, found.description) == ("s", "d")


def test_samples_are_renewed_and_the_users_repos_left_alone(tmp_path: Path) -> None:
    store = RepoStore(tmp_path / "hub")
    store.create(REPO, {"likes": 7})

    def build(folder: Path, names: dict[str, str]) -> Path:
        for name, text in names.items():
            place = folder / "models" / "lab" / name
            place.mkdir(parents=True)
            (place / "a.txt").write_text(text)
            facts = {"likes": 3, "createdAt": "2026-01-01T00:00:00.000Z", "lastModified": "2026-02-01T00:00:00.000Z"}
            place.with_name(name + ".json").write_text(json.dumps(facts))
        return folder

    import_folder(store, build(tmp_path / "v1", {"same": "1", "changed": "1", "dropped": "1"}))
    same, changed = repo_id("model", "lab", "same"), repo_id("model", "lab", "changed")
    sha = store.resolve(same, "main").sha
    old = store.resolve(changed, "main").sha
    import_folder(store, build(tmp_path / "v2", {"same": "1", "changed": "2"}))
    assert store.resolve(same, "main").sha == sha
    head = store.resolve(changed, "main")
    assert (head.parent, store.read(head.files["a.txt"])) == (old, b"2")
    assert not store.exists(repo_id("model", "lab", "dropped"))
    assert store.meta(REPO)["likes"] == 7


def test_log_lines_are_cut_at_newlines_only_and_the_rest_waits(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "log")
    for piece in (b"one\ntw", b"o\r", b"still two\nthr", "\u00e4".encode()[:1], "\u00e4".encode()[1:], b"ee"):
        log.feed(piece)
    log.flush()
    log.close()
    texts = [json.loads(line)["data"] for line in (tmp_path / "log").read_text().splitlines()]
    assert texts == ["one", "two\rstill two", "thr\u00e4ee"]


def test_a_writer_does_not_glue_to_a_torn_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(encode_line("a", "t") + b'{"data": "to')
    log = LogWriter(tmp_path / "log")
    log.line("b")
    log.close()
    kept = whole_lines((tmp_path / "log").read_bytes())
    assert [json.loads(line)["data"] for line in kept.splitlines()] == ["a", "b"]


@given(st.lists(st.text(max_size=30), max_size=40), st.integers(0, 45))
def test_tail_and_events_agree_with_the_plain_list(texts: list[str], count: int) -> None:
    data = b"".join(encode_line(text, "2026-01-01T00:00:00Z") for text in texts)
    file = io.BytesIO(data)
    rest = data[tail_offset(file, count) :]
    events = as_events(whole_lines(rest)).decode("ascii")
    got = [json.loads(line[6:])["data"] for line in events.split("\n") if line.startswith("data: {")]
    assert got == (texts[-count:] if count else [])
    assert events.count("\n\n") == len(got)


def test_a_full_disk_under_the_log_is_told_once_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogWriter(tmp_path / "log")
    log.line("before")
    real = os.write

    def full(_handle: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    log.feed(b"lost one\nlost two\n")
    log.line("lost three")
    monkeypatch.setattr(os, "write", real)
    log.line("after")
    log.close()
    texts = [json.loads(line)["data"] for line in (tmp_path / "log").read_text().splitlines()]
    assert texts == ["before", "workbench: 3 lines could not be written, the disk was full", "after"]
