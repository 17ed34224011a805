"""The repos of the local Hub on disk: content-addressed blobs, commits that list every file, refs that name a commit.

    hub/blobs/<2 hex>/<sha256>                       a file's content, written once, never changed
    hub/repos/{models,datasets}/<owner>/<name>/
        meta.json      private, gated, likes, … – the Hub's own knowledge about the repo
        refs.json      {"branches": {"main": sha}, "tags": {}}; replacing it is what makes a commit happen
        commits/<sha>.json

Blobs and the commit are on disk before the refs name them, and every file is replaced whole, so a kill -9 leaves
the repo before or after a commit, never between. One process holds the folder (serve.py's lock); threads take turns
by a lock a repo. File paths inside a repo are keys in a commit, never paths on this disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from workbench.local.files import now_iso, private_folder, read_json, write_json

RepoType = Literal["model", "dataset"]
REPO_TYPES: tuple[RepoType, ...] = ("model", "dataset")

# As `huggingface_hub` validates ids: letters, digits, - _ . ; no "--", no ".."; no leading or trailing - or .
_NAME = re.compile(r"^(?![-.])(?!.*(?:--|\.\.))[A-Za-z0-9._-]{1,96}(?<![-.])$")
_SHA = re.compile(r"^[0-9a-f]{40}$")
_REF = re.compile(r"^(?![/.-])(?!.*(?:\.\.|//|@\{|/\.))[A-Za-z0-9._/+=-]{1,200}(?<![/.])$")


class StoreError(Exception):
    """A request the store refuses; `status` and `code` as they go on the wire (hub-contract §0)."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message)


@dataclass(frozen=True)
class RepoId:
    kind: RepoType
    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Entry:
    """One file of a commit: `oid` is git's blob id (sha1), `sha256` finds the content, `lfs` how it was uploaded."""

    oid: str
    sha256: str
    size: int
    lfs: bool = False


@dataclass(frozen=True)
class Commit:
    sha: str
    parent: str
    title: str
    message: str
    author: str
    date: str
    files: Mapping[str, Entry]


@dataclass(frozen=True)
class Blob:
    """Content that lies in the store but may not be part of a commit yet."""

    sha256: str
    oid: str
    size: int


def repo_id(kind: RepoType, owner: str, name: str) -> RepoId:
    """A checked id. Raises: StoreError 400 for anything that could not be a repo's name."""
    for part in (owner, name):
        if not _NAME.fullmatch(part) or part.lower().endswith((".git", ".ipynb", ".json")):
            raise StoreError(400, f"{owner}/{name} is not a valid repo id.", "InvalidRepoId")
    return RepoId(kind, owner, name)


def checked_path(path: str) -> str:
    """A path inside a repo, as it may be committed. Raises: StoreError 400 for one that would leave a folder."""
    parts = path.split("/")
    bad = (
        not path
        or len(path) > 1024
        or "\\" in path
        or any(part in ("", ".", "..") or part.lower() == ".git" or len(part.encode()) > 255 for part in parts)
        or any(ord(char) < 32 or ord(char) == 127 for char in path)
        or re.match(r"^[A-Za-z]:", path) is not None
    )
    if bad:
        raise StoreError(400, f"{path[:200]!r} is not a valid path in a repo.", "InvalidPath")
    return path


def checked_ref(name: str) -> str:
    if not _REF.fullmatch(name) or _SHA.fullmatch(name) or name.endswith(".lock"):
        raise StoreError(400, f"{name[:200]!r} is not a valid revision name.", "InvalidRevision")
    return name


class BlobWriter:
    """Takes content piece by piece, without knowing its size before; `done` puts it in its place."""

    def __init__(self, store: RepoStore) -> None:
        self._store = store
        self._path = store.incoming / secrets.token_hex(12)
        self._file: BinaryIO = self._path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def done(self, expected_sha256: str | None = None) -> Blob:
        """Raises: StoreError 400 when the content does not have the announced hash."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._hash.hexdigest()
        if expected_sha256 is not None and digest != expected_sha256:
            self._path.unlink(missing_ok=True)
            raise StoreError(400, "The content does not have the announced SHA-256.", "HashMismatch")
        place = self._store.blob_path(digest)
        private_folder(place.parent)
        oid = git_oid(self._path, self.size)
        self._path.replace(place)
        return Blob(sha256=digest, oid=oid, size=self.size)

    def abandon(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def git_oid(path: Path, size: int) -> str:
    """Git's id of a file's content, which the client compares to skip an unchanged upload."""
    digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class RepoStore:
    """All repos below `folder`. Every public method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self.blobs = private_folder(folder / "blobs")
        self.incoming = folder / "incoming"
        shutil.rmtree(self.incoming, ignore_errors=True)  # what a killed server left half-written
        private_folder(self.incoming)
        for kind in REPO_TYPES:
            private_folder(folder / "repos" / f"{kind}s")
        self._locks: dict[RepoId, threading.RLock] = {}
        self._locks_lock = threading.Lock()
        self._commits: dict[tuple[RepoId, str], Commit] = {}

    def locked(self, repo: RepoId) -> threading.RLock:
        with self._locks_lock:
            return self._locks.setdefault(repo, threading.RLock())

    # -- repos -------------------------------------------------------------------------------------------------

    def _dir(self, repo: RepoId) -> Path:
        return self.folder / "repos" / f"{repo.kind}s" / repo.owner / repo.name

    def exists(self, repo: RepoId) -> bool:
        return (self._dir(repo) / "refs.json").exists()

    def repos(self, kind: RepoType) -> Iterator[RepoId]:
        for owner in sorted((self.folder / "repos" / f"{kind}s").iterdir()):
            for place in sorted(owner.iterdir()):
                if (place / "refs.json").exists():
                    yield RepoId(kind, owner.name, place.name)

    def create(self, repo: RepoId, meta: Mapping[str, Any], *, date: str = "") -> None:
        """A repo with one empty commit. Raises: StoreError 409 when it is there already."""
        with self.locked(repo):
            if self.exists(repo):
                raise StoreError(409, f"You already created this {repo.kind} repo: {repo}", "RepoExists")
            place = self._dir(repo)
            private_folder(place / "commits")
            write_json(place / "meta.json", {"createdAt": date or now_iso(), **meta})
            first = self._write_commit(repo, "", "initial commit", "", repo.owner, date or now_iso(), {})
            write_json(place / "refs.json", {"branches": {"main": first.sha}, "tags": {}})

    def delete(self, repo: RepoId) -> None:
        with self.locked(repo):
            self.need(repo)
            gone = self.incoming / secrets.token_hex(12)
            self._dir(repo).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
            self._commits = {key: value for key, value in self._commits.items() if key[0] != repo}

    def need(self, repo: RepoId) -> RepoId:
        if not self.exists(repo):
            raise StoreError(404, "Repository not found", "RepoNotFound")
        return repo

    def meta(self, repo: RepoId) -> dict[str, Any]:
        value = read_json(self._dir(repo) / "meta.json")
        return dict(value) if isinstance(value, dict) else {}

    def set_meta(self, repo: RepoId, changes: Mapping[str, Any]) -> None:
        with self.locked(repo):
            write_json(self._dir(self.need(repo)) / "meta.json", {**self.meta(repo), **changes})

    # -- refs and commits --------------------------------------------------------------------------------------

    def refs(self, repo: RepoId) -> dict[str, dict[str, str]]:
        value = read_json(self._dir(self.need(repo)) / "refs.json")
        if not isinstance(value, dict):
            raise StoreError(404, "Repository not found", "RepoNotFound")
        return value

    def set_ref(self, repo: RepoId, kind: Literal["branches", "tags"], name: str, sha: str | None) -> None:
        """Point a branch or tag at a commit, or remove it (`sha` None)."""
        with self.locked(repo):
            refs = self.refs(repo)
            if sha is None:
                if refs[kind].pop(name, None) is None:
                    raise StoreError(404, f"Revision not found: {name}", "RevisionNotFound")
            else:
                refs[kind][checked_ref(name)] = sha
            write_json(self._dir(repo) / "refs.json", refs)

    def resolve(self, repo: RepoId, revision: str) -> Commit:
        """The commit a branch, tag or commit id names. Raises: StoreError 404."""
        refs = self.refs(repo)
        short = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        sha = refs["branches"].get(short) or refs["tags"].get(short) or revision
        commit = self._read_commit(repo, sha) if _SHA.fullmatch(sha) else None
        if commit is None:
            raise StoreError(404, f"Invalid rev id: {revision[:200]}", "RevisionNotFound")
        return commit

    def history(self, repo: RepoId, revision: str) -> Iterator[Commit]:
        """Commits from `revision` back to the first."""
        commit: Commit | None = self.resolve(repo, revision)
        while commit is not None:
            yield commit
            commit = self._read_commit(repo, commit.parent) if commit.parent else None

    def commit(
        self,
        repo: RepoId,
        branch: str,
        *,
        title: str,
        message: str = "",
        put: Mapping[str, Entry],
        delete: tuple[str, ...] = (),
        delete_folders: tuple[str, ...] = (),
        expected_parent: str | None = None,
        date: str = "",
    ) -> Commit:
        """Add a commit to a branch. The blobs of `put` must be in the store.

        Raises: StoreError 404 (no such branch), 409/400 (paths that clash), 412 (`expected_parent` is not the head).
        """
        for path in put:
            checked_path(path)
        with self.locked(repo):
            refs = self.refs(repo)
            branch = branch.removeprefix("refs/heads/")
            head = refs["branches"].get(branch)
            if head is None:
                raise StoreError(404, f"Invalid rev id: {branch[:200]}", "RevisionNotFound")
            if expected_parent and not head.startswith(expected_parent):
                raise StoreError(412, "A commit has happened since. Please refresh and try again.", "CommitConflict")
            before = self._read_commit(repo, head)
            files = dict(before.files) if before else {}
            for path in delete:
                if files.pop(path, None) is None and path not in put:
                    raise StoreError(404, f"{path} does not exist on {branch}.", "EntryNotFound")
            for folder in delete_folders:
                start = folder.rstrip("/") + "/"
                files = {path: entry for path, entry in files.items() if start != "/" and not path.startswith(start)}
            files.update(put)
            _no_file_is_a_folder(files)
            commit = self._write_commit(repo, head, title, message, repo.owner, date or now_iso(), files)
            refs["branches"][branch] = commit.sha
            write_json(self._dir(repo) / "refs.json", refs)
            self._dir(repo).touch()
            return commit

    def _write_commit(
        self, repo: RepoId, parent: str, title: str, message: str, author: str, date: str, files: Mapping[str, Entry]
    ) -> Commit:
        content = {
            "parent": parent,
            "title": title,
            "message": message,
            "author": author,
            "date": date,
            "files": {path: [e.oid, e.sha256, e.size, e.lfs] for path, e in sorted(files.items())},
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        # The repo's name is part of what is hashed: two new repos must not share the id of their first commit.
        sha = hashlib.sha1(f"{repo.kind} {repo}\0{text}".encode(), usedforsecurity=False).hexdigest()
        write_json(self._dir(repo) / "commits" / f"{sha}.json", content)
        return Commit(sha, parent, title, message, author, date, dict(files))

    def _read_commit(self, repo: RepoId, sha: str) -> Commit | None:
        known = self._commits.get((repo, sha))
        if known is not None:
            return known
        value = read_json(self._dir(repo) / "commits" / f"{sha}.json")
        if value is None:
            return None
        files = {path: Entry(*fields) for path, fields in value.pop("files").items()}
        commit = Commit(sha=sha, files=files, **value)
        if len(self._commits) > 2000:
            self._commits.clear()
        self._commits[repo, sha] = commit
        return commit

    # -- content -----------------------------------------------------------------------------------------------

    def writer(self) -> BlobWriter:
        return BlobWriter(self)

    def put_bytes(self, data: bytes) -> Blob:
        writer = self.writer()
        try:
            writer.write(data)
            return writer.done()
        except BaseException:
            writer.abandon()
            raise

    def blob_path(self, sha256: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise StoreError(400, "Not a SHA-256.", "InvalidOid")
        return self.blobs / sha256[:2] / sha256

    def blob(self, sha256: str) -> Blob | None:
        """The stored content with this hash, if it is there."""
        path = self.blob_path(sha256)
        if not path.exists():
            return None
        size = path.stat().st_size
        return Blob(sha256, git_oid(path, size), size)

    def read(self, entry: Entry, limit: int | None = None) -> bytes:
        with self.blob_path(entry.sha256).open("rb") as file:
            return file.read() if limit is None else file.read(limit)


def _no_file_is_a_folder(files: Mapping[str, Entry]) -> None:
    for path in files:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in files:
                raise StoreError(400, f"{path} lies below a path that is a file.", "InvalidPath")
