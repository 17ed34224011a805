"""Reading a commit from the wire: NDJSON with files as base64 inside (hub-contract §5.2), in bounded memory.

Why files come this way at all: `preupload` answers "regular" for every file. "lfs" would make a client that can
import hf_xet (every normal installation) upload through Xet, whose storage protocol is not public; and this server
cannot see whether a client has hf_xet. "regular" works for all of them, whatever the size: the client puts at most
100 MB of files into one commit, except that a single larger file makes a larger line. So a line is never held as a
whole here: its base64 goes to disk as it comes. (LFS batch and PUT are served too, for clients that insist.)
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from workbench.local.store import Blob, BlobWriter, Entry, RepoStore, checked_path
from workbench.local.wire import Refusal

# The longest line that is parsed as ordinary JSON; anything longer must be a file with content.
_PLAIN_LINE = 1 << 20
_CONTENT = re.compile(rb'"content"\s*:\s*"')


@dataclass
class CommitRequest:
    """What a commit asks for; `put` maps paths to content that is in the store already."""

    title: str = ""
    description: str = ""
    parent: str | None = None
    put: dict[str, Entry] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    delete_folders: list[str] = field(default_factory=list)


async def read_commit(chunks: AsyncIterator[bytes], store: RepoStore) -> CommitRequest:
    """Parse the NDJSON of a commit, moving file content into `store` on the way. Raises: Refusal 400."""
    reader = _Reader(store)
    async for chunk in chunks:
        await run_in_threadpool(reader.feed, chunk)
    return await run_in_threadpool(reader.finish)


class _Reader:
    """Splits the stream into lines; a line that grows past `_PLAIN_LINE` is switched to streaming its content."""

    def __init__(self, store: RepoStore) -> None:
        self._store = store
        self._request = CommitRequest()
        self._buffer = bytearray()
        self._stream: _ContentStream | None = None
        self._header_seen = False

    def feed(self, chunk: bytes) -> None:
        try:
            self._feed(chunk)
        except BaseException:
            self.abandon()
            raise

    def _feed(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            if self._stream is not None:
                used = self._stream.feed(view)
                view = view[used:]
                if self._stream.blob is None:
                    return
                # The rest of the line, with the content taken out, is small JSON again.
                self._buffer = bytearray(self._stream.before + b'""')
                self._blob, self._stream = self._stream.blob, None
                continue
            end = bytes(view).find(b"\n")
            if end >= 0:
                self._buffer += view[:end]
                view = view[end + 1 :]
                self._line()
                continue
            self._buffer += view
            if len(self._buffer) > _PLAIN_LINE:
                found = _CONTENT.search(self._buffer)
                if found is None or self._blob is not None:
                    raise Refusal(400, "A line of the commit is too long.")
                rest = bytes(self._buffer[found.end() :])
                self._stream = _ContentStream(self._store, bytes(self._buffer[: found.end() - 1]))
                self._buffer.clear()
                view = memoryview(rest)
                continue
            return

    _blob: Blob | None = None

    def finish(self) -> CommitRequest:
        if self._stream is not None:
            self.abandon()
            raise Refusal(400, "The commit ends inside a file.")
        if self._buffer:
            self._line()
        if not self._header_seen:
            raise Refusal(400, "The commit has no header.")
        return self._request

    def abandon(self) -> None:
        if self._stream is not None:
            self._stream.writer.abandon()
            self._stream = None

    def _line(self) -> None:
        line, blob = bytes(self._buffer), self._blob
        self._buffer.clear()
        self._blob = None
        if not line.strip():
            return
        try:
            item = json.loads(line)
            key, value = str(item["key"]), dict(item["value"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refusal(400, "A line of the commit is not what a commit line looks like.") from error
        try:
            self._take(key, value, blob)
        except (KeyError, TypeError, ValueError) as error:
            raise Refusal(400, f"A {key!r} line of the commit lacks a field, or has one of a wrong type.") from error

    def _take(self, key: str, value: dict[str, Any], blob: Blob | None) -> None:
        request = self._request
        if key == "header":
            self._header_seen = True
            request.title = str(value["summary"])
            request.description = str(value.get("description") or "")
            request.parent = str(value["parentCommit"]) if value.get("parentCommit") else None
        elif key == "file":
            path = checked_path(str(value["path"]))
            if blob is None:
                blob = self._store.put_bytes(_content(value))
            elif value.get("encoding") != "base64":
                raise Refusal(400, f"{path} must be sent as base64.")
            request.put[path] = Entry(blob.oid, blob.sha256, blob.size)
        elif key == "lfsFile":
            path = checked_path(str(value["path"]))
            found = self._store.blob(str(value["oid"]))
            if found is None:
                raise Refusal(400, f"The content of {path} was not uploaded before the commit.", "LfsMissing")
            request.put[path] = Entry(found.oid, found.sha256, found.size, True)
        elif key == "deletedFile":
            request.delete.append(str(value["path"]))
        elif key == "deletedFolder":
            request.delete_folders.append(str(value["path"]))
        else:
            raise Refusal(400, f"Commit lines of the kind {key!r} are not known here.")


def _content(value: dict[str, Any]) -> bytes:
    text = str(value["content"])
    if value.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(400, f"The content of {value['path']} is not base64.") from error
    return text.encode("utf-8")


class _ContentStream:
    """Decodes one file's base64 up to its closing quote. `before` is the line up to the opening quote."""

    def __init__(self, store: RepoStore, before: bytes) -> None:
        self.before = before
        self.writer: BlobWriter = store.writer()
        self.blob: Blob | None = None
        self._left = b""

    def feed(self, view: memoryview) -> int:
        """Take what belongs to the content; returns how many bytes were used, the closing quote included."""
        data = bytes(view)
        end = data.find(b'"')
        piece = self._left + (data if end < 0 else data[:end])
        whole = len(piece) if end >= 0 else len(piece) - len(piece) % 4
        try:
            self.writer.write(base64.b64decode(piece[:whole], validate=True))
        except (binascii.Error, ValueError) as error:
            raise Refusal(400, "The content of a file is not base64.") from error
        self._left = piece[whole:]
        if end < 0:
            return len(data)
        self.blob = self.writer.done()
        return end + 1
