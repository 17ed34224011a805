"""Repos of the local Hub through the unmodified client: make, fill, read, change, delete."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.conftest import raw

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from workbench.local.serve import LocalServer


@pytest.fixture
def repo(api: HfApi, request: pytest.FixtureRequest) -> str:
    """A fresh model repo of this test's own."""
    name = "demo/" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    api.delete_repo(name, missing_ok=True)
    api.create_repo(name)
    return name


def put(api: HfApi, repo: str, path: str, data: bytes, **more: Any) -> Any:
    return api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo, **more)


def safetensors(tensors: dict[str, tuple[str, list[int]]]) -> bytes:
    sizes = {"F32": 4, "BF16": 2}
    header, at = {}, 0
    for name, (dtype, shape) in tensors.items():
        count = 1
        for size in shape:
            count *= size
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + count * sizes[dtype]]}
        at += count * sizes[dtype]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def test_whoami_is_the_demo_account(api: HfApi) -> None:
    me = api.whoami()
    assert (me["name"], me["fullname"], me["canPay"]) == ("demo", "Demo account", True)
    assert me["auth"]["accessToken"]["role"] == "write"


def test_create_twice(api: HfApi, repo: str, server: LocalServer) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    assert str(api.create_repo(repo, exist_ok=True)) == f"{server.url}/{repo}"
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(repo)
    assert refused.value.response.status_code == 409


def test_create_under_a_namespace_that_is_not_ours(api: HfApi) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo("somebody/thing")
    assert refused.value.response.status_code == 403


def test_upload_folder_and_snapshot_download_are_inverse(api: HfApi, repo: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    files = {
        "README.md": b"---\nlicense: mit\nlibrary_name: peft\ntags: [lora]\nbase_model: sample-lab/x\n---\n# Card\n",
        "adapter_model.safetensors": safetensors({"w": ("F32", [1000, 700])}),
        "empty.txt": b"",
        "deep/er/\u00fcml\u00e4ut and space.json": b"{}",
        "percent%2Fsign.txt": b"p",
    }
    for path, data in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    done = api.upload_folder(repo_id=repo, folder_path=source, commit_message="All of it")
    back = Path(api.snapshot_download(repo, local_dir=tmp_path / "back"))
    assert {path: (back / path).read_bytes() for path in files} == files
    info = api.model_info(repo, files_metadata=True)
    assert info.sha == done.oid
    assert info.library_name == "peft"
    assert {"lora", "license:mit", "base_model:sample-lab/x", "safetensors"} <= set(info.tags)
    assert info.card_data.license == "mit"
    assert {one.rfilename: one.size for one in info.siblings} == {path: len(data) for path, data in files.items()}


def test_an_unchanged_upload_makes_no_commit(api: HfApi, repo: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a" * 5000)
    first = api.upload_folder(repo_id=repo, folder_path=tmp_path)
    again = api.upload_folder(repo_id=repo, folder_path=tmp_path)
    assert again.oid == first.oid


def test_a_file_larger_than_a_line_is_parsed_as_it_comes(api: HfApi, repo: str, tmp_path: Path) -> None:
    data = os.urandom(9_000_001)
    (tmp_path / "big.bin").write_bytes(data)
    put(api, repo, "big.bin", (tmp_path / "big.bin").read_bytes())
    back = api.hf_hub_download(repo, "big.bin", local_dir=tmp_path / "back")
    assert hashlib.sha256(Path(back).read_bytes()).digest() == hashlib.sha256(data).digest()


def test_the_lfs_way_in_works_too(api: HfApi, repo: str, server: LocalServer) -> None:
    """As a client does that insists on LFS: batch, PUT to a signed link without a token, verify, commit."""
    data = os.urandom(100_000)
    oid = hashlib.sha256(data).hexdigest()
    ask = json.dumps({"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": len(data)}]})
    (one,) = raw(server, "POST", f"/{repo}.git/info/lfs/objects/batch", body=ask.encode()).json()["objects"]
    path = one["actions"]["upload"]["href"].removeprefix(server.url)
    assert raw(server, "PUT", path, token=None, body=b"other content").status == 400
    assert raw(server, "PUT", path[:-4] + "0000", token=None, body=data).status == 403
    assert raw(server, "PUT", path, token=None, body=data).status == 200
    verify = one["actions"]["verify"]["href"].removeprefix(server.url)
    assert raw(server, "POST", verify, body=json.dumps({"oid": oid, "size": len(data)}).encode()).status == 200
    lines = [
        {"key": "header", "value": {"summary": "lfs", "description": ""}},
        {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": oid, "size": len(data)}},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert raw(server, "POST", f"/api/models/{repo}/commit/main", body=body).status == 200
    (found,) = [one for one in api.model_info(repo, files_metadata=True).siblings if one.rfilename == "w.bin"]
    assert found.lfs.sha256 == oid
    assert Path(api.hf_hub_download(repo, "w.bin")).read_bytes() == data


def test_safetensors_metadata_by_range(api: HfApi, repo: str) -> None:
    tensors = {f"layer.{at}.weight": ("BF16", [8, 16]) for at in range(2500)} | {"norm": ("F32", [8])}
    put(api, repo, "model.safetensors", safetensors(tensors))  # its header is longer than the first range
    assert api.get_safetensors_metadata(repo).parameter_count == {"BF16": 2500 * 128, "F32": 8}
    info = api.model_info(repo)
    assert info.safetensors.parameters == {"BF16": 2500 * 128, "F32": 8}
    assert info.safetensors.total == 2500 * 128 + 8


@pytest.mark.parametrize(
    ("asked", "status", "got"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=5-", 206, b"56789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=0-999", 206, b"0123456789"),
        ("bytes=99-", 416, None),
    ],
)
def test_ranges(api: HfApi, repo: str, server: LocalServer, asked: str, status: int, got: bytes | None) -> None:
    put(api, repo, "ten.txt", b"0123456789")
    answer = raw(server, "GET", f"/{repo}/resolve/main/ten.txt", headers={"Range": asked})
    assert answer.status == status
    if got is not None:
        assert answer.body == got


def test_head_tells_size_commit_and_etag(api: HfApi, repo: str, server: LocalServer) -> None:
    done = put(api, repo, "a.txt", b"hello")
    answer = raw(server, "HEAD", f"/{repo}/resolve/main/a.txt")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == "5"
    assert answer.headers["x-repo-commit"] == done.oid
    assert answer.headers["etag"] == '"b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"'  # git hash-object of "hello"


def test_tree_paths_and_history(api: HfApi, repo: str) -> None:
    put(api, repo, "a.txt", b"1", commit_message="one")
    second = put(api, repo, "dir/b.txt", b"2", commit_message="two")
    assert {one.path for one in api.list_repo_tree(repo)} == {"a.txt", "dir"}
    whole = {one.path: one for one in api.list_repo_tree(repo, recursive=True, expand=True)}
    assert set(whole) == {"a.txt", "dir", "dir/b.txt"}
    assert whole["a.txt"].last_commit.title == "one"
    assert whole["dir/b.txt"].last_commit.oid == second.oid
    assert [one.path for one in api.list_repo_tree(repo, "dir")] == ["dir/b.txt"]
    assert {one.path for one in api.get_paths_info(repo, ["dir", "a.txt", "none"])} == {"dir", "a.txt"}
    assert [one.title for one in api.list_repo_commits(repo)] == ["two", "one", "initial commit"]
    assert api.file_exists(repo, "dir/b.txt")
    assert not api.file_exists(repo, "dir")


def test_a_tree_of_many_files_comes_in_pages(api: HfApi, repo: str, tmp_path: Path) -> None:
    for at in range(1203):
        (tmp_path / f"{at:04}.txt").write_text(str(at))
    api.upload_folder(repo_id=repo, folder_path=tmp_path)
    listed = [one.path for one in api.list_repo_tree(repo)]
    assert listed == sorted(f"{at:04}.txt" for at in range(1203))


def test_delete_and_replace_in_one_commit(api: HfApi, repo: str) -> None:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    put(api, repo, "old/a.txt", b"1")
    put(api, repo, "old/b.txt", b"1")
    put(api, repo, "keep.txt", b"1")
    api.create_commit(
        repo,
        [
            CommitOperationDelete("old/"),
            CommitOperationAdd("keep.txt", io.BytesIO(b"2")),
            CommitOperationAdd("new.txt", b"3"),
        ],
        commit_message="change",
    )
    assert set(api.list_repo_files(repo)) == {"keep.txt", "new.txt"}


def test_a_commit_on_a_stale_parent_is_refused(api: HfApi, repo: str) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    first = put(api, repo, "a.txt", b"1")
    put(api, repo, "a.txt", b"2")
    with pytest.raises(HfHubHTTPError) as refused:
        put(api, repo, "a.txt", b"3", parent_commit=first.oid)
    assert refused.value.response.status_code == 412


def test_old_revisions_branches_and_tags_stay_readable(api: HfApi, repo: str) -> None:
    first = put(api, repo, "a.txt", b"one")
    api.create_branch(repo, branch="feature/x")
    api.create_tag(repo, tag="v1.0")
    put(api, repo, "a.txt", b"two")
    put(api, repo, "a.txt", b"branched", revision="feature/x")
    for revision, text in ((first.oid, "one"), ("v1.0", "one"), ("main", "two"), ("feature/x", "branched")):
        assert Path(api.hf_hub_download(repo, "a.txt", revision=revision)).read_text() == text
    refs = api.list_repo_refs(repo)
    assert {one.name for one in refs.branches} == {"main", "feature/x"}
    assert [one.target_commit for one in refs.tags] == [first.oid]
    assert api.model_info(repo, revision=first.oid).sha == first.oid
    api.delete_branch(repo, branch="feature/x")
    api.delete_tag(repo, tag="v1.0")
    assert [one.name for one in api.list_repo_refs(repo).branches] == ["main"]


def test_what_is_missing_gets_the_clients_own_errors(api: HfApi, repo: str) -> None:
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    with pytest.raises(RepositoryNotFoundError):
        api.model_info("demo/never-made")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("gpt2")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision="nope")
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo, "nope.txt")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("demo/never-made", "nope.txt")
    with pytest.raises(RepositoryNotFoundError):
        put(api, "demo/never-made", "a.txt", b"1")


def test_a_gated_repo_without_access(api: HfApi) -> None:
    from huggingface_hub.errors import GatedRepoError

    closed = [one.id for one in api.list_models(gated=True)]
    assert closed
    assert api.model_info(closed[0]).gated in ("auto", "manual")
    with pytest.raises(GatedRepoError):
        api.hf_hub_download(closed[0], "config.json")
    with pytest.raises(GatedRepoError):
        api.auth_check(closed[0])
    assert api.hf_hub_download(closed[0], "README.md")


def test_a_broken_card_is_refused_before_the_upload(api: HfApi, repo: str) -> None:
    with pytest.raises(ValueError, match="YAML"):
        put(api, repo, "README.md", b"---\ntags: [a\n---\n")


def test_settings_and_delete(api: HfApi, repo: str) -> None:
    api.update_repo_settings(repo, visibility="private")
    assert api.model_info(repo).private
    api.delete_repo(repo)
    assert not api.repo_exists(repo)


def test_concurrent_commits_lose_nothing(api: HfApi, repo: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: put(api, repo, f"{at}.txt", b"x%d" % at), range(24)))
    assert set(api.list_repo_files(repo)) == {f"{at}.txt" for at in range(24)}
    assert len(api.list_repo_commits(repo)) == 25


def test_an_unknown_route_is_a_json_404(server: LocalServer) -> None:
    answer = raw(server, "GET", "/api/nothing/here")
    assert answer.status == 404
    assert "error" in answer.json()
    assert answer.headers["x-request-id"]
    assert raw(server, "POST", "/api/whoami-v2", body=b"").status == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json\n",
        b'{"key":"header"}\n',
        b'{"key":"file","value":{"path":"a"}}\n',
        b'{"key":"header","value":7}\n',
    ],
)
def test_a_commit_that_is_none_is_refused(server: LocalServer, repo: str, body: bytes) -> None:
    assert raw(server, "POST", f"/api/models/{repo}/commit/main", body=body).status == 400
