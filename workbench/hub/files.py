"""Files of a repo, read in bounded pieces: a card, a config, or the first megabytes of a data file.

`huggingface_hub` downloads whole files. To look into a dataset of 100 GB one needs its first part only, so these
functions read `/{id}/resolve/{revision}/{path}` (hub-contract §5.4) through the client's own session and stop early.
Redirects to a storage host are followed; the session drops our token on the way to another origin.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

from workbench.errors import HubError
from workbench.hub.client import Hub, hub_errors

Kind = Literal["model", "dataset"]

# Bytes. A README or config beyond this is cut (cards with inlined pictures exist).
SMALL_FILE = 2_000_000


def file_path(kind: Kind, repo: str, revision: str, path: str) -> str:
    """The path of a file below the endpoint."""
    prefix = "/datasets" if kind == "dataset" else ""
    return f"{prefix}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"


def checked_id(repo: str) -> str:
    """The id itself, if it is one: it becomes part of an address.

    Raises:
        NotFoundError: not of the form owner/name.
    """
    from huggingface_hub.utils import validate_repo_id

    with hub_errors(repo or "(no id)"):
        validate_repo_id(repo)
    return repo


def chunks(hub: Hub, path: str, *, limit: int) -> Iterator[bytes]:
    """The file's bytes as they come, at most about `limit`; the connection closes when the reader stops.

    Raises:
        NotFoundError, GatedError, HubError
    """
    headers = hub.headers()
    from huggingface_hub.utils import get_session, hf_raise_for_status

    # The server may ignore the range and answer 200 with everything: `taken` stops the reading either way.
    headers["range"] = f"bytes=0-{max(limit - 1, 0)}"
    taken = 0
    with (
        hub_errors(path.split("/resolve/")[0].lstrip("/")),
        get_session().stream("GET", f"{hub.settings.endpoint}{path}", headers=headers) as response,
    ):
        if response.status_code == 416:  # an empty file has no first byte
            return
        if response.status_code >= 400:
            response.read()
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            taken += len(chunk)
            yield chunk
            if taken >= limit:
                return


def read_text(hub: Hub, kind: Kind, repo: str, revision: str, path: str, *, limit: int = SMALL_FILE) -> str:
    """A small text file; undecodable bytes show as �, and what lies beyond `limit` bytes is cut."""
    raw = b"".join(chunks(hub, file_path(kind, repo, revision, path), limit=limit))[:limit]
    return raw.decode("utf-8-sig", errors="replace")


def read_text_or_empty(hub: Hub, kind: Kind, repo: str, revision: str, path: str) -> str:
    """The same, "" if the file is missing, closed to us, or the server fails at it: a card is no reason to fail."""
    try:
        return read_text(hub, kind, repo, revision, path)
    except HubError:
        return ""


def lines(pieces: Iterator[bytes], *, longest: int) -> Iterator[tuple[int, str | None]]:
    """(line number from 1, text) of a byte stream; None in place of a line of more than `longest` bytes.

    Splits on `\\n` bytes only (U+2028 is a character, not a line end), so memory stays below about `longest`.
    """
    number = 1
    held = bytearray()
    too_long = False
    first = True
    for piece in pieces:
        if first and piece.startswith(codecs.BOM_UTF8):
            piece = piece[len(codecs.BOM_UTF8) :]
        first = False
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            if not too_long:
                held += piece[start:end]
            yield number, None if too_long or len(held) > longest else held.decode("utf-8", errors="replace")
            number += 1
            held.clear()
            too_long = False
            start = end + 1
        if not too_long:
            held += piece[start:]
        if len(held) > longest:
            held.clear()
            too_long = True
    if held or too_long:
        yield number, None if too_long else held.decode("utf-8", errors="replace")
