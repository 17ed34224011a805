"""`GET /api/models` and `/api/datasets`: search, filters, order and paging (hub-contract §6), and one repo's record."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from starlette.datastructures import QueryParams

from workbench.local import card as cards
from workbench.local.store import Commit, RepoId, RepoStore, RepoType, StoreError
from workbench.local.wire import Refusal

PAGE = 100  # entries a page at most; the client follows `Link`
SORTS = ("downloads", "likes", "lastModified", "createdAt", "trendingScore")

# What a list entry holds without `full` or `expand` (as the Hub answers).
_BOTH = ("_id", "id", "likes", "trendingScore", "private", "gated", "downloads", "tags", "createdAt")
_SHORT = {
    "model": (*_BOTH, "modelId", "pipeline_tag", "library_name"),
    "dataset": (*_BOTH, "author", "disabled", "lastModified", "sha", "description"),
}
_FULL = {
    "model": (*_SHORT["model"], "author", "sha", "lastModified", "siblings", "disabled"),
    "dataset": (*_SHORT["dataset"], "siblings", "cardData"),
}
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


class Records:
    """Full records of repos, kept by commit: reading headers and cards again for every keystroke would be slow."""

    def __init__(self, store: RepoStore) -> None:
        self._store = store
        self._derived: dict[tuple[RepoId, str], dict[str, Any]] = {}

    def record(self, repo: RepoId, commit: Commit | None = None, *, blobs: bool = False) -> dict[str, Any]:
        """Everything the Hub says about a repo at a commit (default: the head of main)."""
        commit = commit or self._store.resolve(repo, "main")
        meta = self._store.meta(repo)
        derived = self._derive(repo, commit)
        tags = list(dict.fromkeys([*meta.get("tags", []), *derived["tags"]]))
        sizes = {entry.sha256: entry.size for entry in commit.files.values()}
        record: dict[str, Any] = {
            "_id": hashlib.sha256(f"{repo.kind}:{repo}".encode()).hexdigest()[:24],
            "id": str(repo),
            "author": repo.owner,
            "sha": commit.sha,
            "private": bool(meta.get("private", False)),
            "gated": meta.get("gated", False) or False,
            "disabled": False,
            "downloads": int(meta.get("downloads", 0)),
            "likes": int(meta.get("likes", 0)),
            "trendingScore": meta.get("trendingScore", 0),
            "createdAt": meta.get("createdAt"),
            "lastModified": commit.date,
            "tags": tags,
            "cardData": derived["card"] or meta.get("cardData") or {},
            "siblings": [_sibling(path, commit, blobs) for path in sorted(commit.files)],
            "usedStorage": sum(sizes.values()),
        }
        card = record["cardData"]
        if repo.kind == "model":
            record["modelId"] = str(repo)
            record["library_name"] = card.get("library_name") or meta.get("library_name")
            record["pipeline_tag"] = card.get("pipeline_tag") or meta.get("pipeline_tag")
            record["config"] = derived["config"]
            record["safetensors"] = derived["safetensors"]
            record["spaces"] = []
        else:
            record["description"] = str(meta.get("description") or card.get("pretty_name") or "")
        return {key: value for key, value in record.items() if value is not None}

    def _derive(self, repo: RepoId, commit: Commit) -> dict[str, Any]:
        key = (repo, commit.sha)
        known = self._derived.get(key)
        if known is None:
            card = cards.read_card(self._store, commit)
            known = {"card": _plain(card), "tags": cards.derived_tags(card, commit.files, repo.kind)}
            if repo.kind == "model":
                known["config"] = cards.config_summary(self._store, commit) or None
                known["safetensors"] = cards.safetensors_summary(self._store, commit)
            if len(self._derived) > 5000:
                self._derived.clear()
            self._derived[key] = known
        return known

    def _visible(self, kind: RepoType, account: str) -> Iterator[dict[str, Any]]:
        for repo in self._store.repos(kind):
            try:
                record = self.record(repo)
            except StoreError:  # deleted while we looked
                continue
            if not record["private"] or repo.owner == account:
                yield record

    def page(
        self, kind: RepoType, account: str, query: QueryParams, cursor: Any, limit: int
    ) -> tuple[list[dict[str, Any]], Any]:
        """One page of the list that `account` may see, and the cursor of the next (None at the end)."""
        order = query.get("sort") or "trendingScore"
        if order not in SORTS:
            raise Refusal(400, f"Invalid sort parameter: {order[:100]}. Known: {', '.join(SORTS)}.")
        matches = _matcher(kind, query)
        found = [record for record in self._visible(kind, account) if matches(record)]
        found.sort(key=lambda record: _place(record, order), reverse=True)
        if cursor is not None:
            if not (isinstance(cursor, list) and len(cursor) == 2 and isinstance(cursor[1], str)):
                raise Refusal(400, "Invalid cursor.")
            try:
                found = [record for record in found if list(_place(record, order)) < cursor]
            except TypeError as error:
                raise Refusal(400, "Invalid cursor.") from error
        shown = found[: min(limit, PAGE)]
        after = list(_place(shown[-1], order)) if len(found) > len(shown) and shown else None
        return [_shape(record, kind, query) for record in shown], after


def project(record: dict[str, Any], query: QueryParams) -> dict[str, Any]:
    """`expand=…` leaves only the named properties and the ids."""
    wanted = query.getlist("expand") + query.getlist("expand[]")
    if not wanted:
        return record
    keys = {"_id", "id", *(("modelId",) if "modelId" in record else ()), *wanted}
    return {key: value for key, value in record.items() if key in keys}


def _shape(record: dict[str, Any], kind: str, query: QueryParams) -> dict[str, Any]:
    if query.getlist("expand") or query.getlist("expand[]"):
        return project(record, query)

    def asked(name: str) -> bool:
        return query.get(name, "").lower() in ("true", "1")

    keys = set(_FULL[kind] if asked("full") else _SHORT[kind])
    keys |= {name for name in ("cardData", "config") if asked(name)}
    return {key: value for key, value in record.items() if key in keys}


def _place(record: dict[str, Any], order: str) -> tuple[Any, str]:
    # Dates are fixed-width texts, so they sort as they are.
    return record.get(order) or ("" if order in ("lastModified", "createdAt") else 0), str(record["id"])


def _matcher(kind: str, query: QueryParams) -> Callable[[dict[str, Any]], bool]:
    words = [word for text in query.getlist("search") for word in text.lower().split()]
    author = query.get("author")
    wanted = [tag for text in query.getlist("filter") for tag in text.split(",") if tag]
    gated = query.get("gated")
    task = query.get("pipeline_tag")
    apps = query.getlist("apps")
    low, high = _parameter_range(query.get("num_parameters"))
    no_inference = bool(query.get("inference") or query.get("inference_provider"))

    def matches(record: dict[str, Any]) -> bool:
        name = str(record["id"]).lower()
        known = {*record["tags"], record.get("library_name"), record.get("pipeline_tag")}
        total = (record.get("safetensors") or {}).get("total")
        return (
            all(word in name for word in words)
            and (author is None or record["author"].lower() == author.lower())
            and all(tag in known for tag in (*wanted, *apps))
            and (gated is None or (record["gated"] is not False) == (gated.lower() in ("true", "1")))
            and (task is None or record.get("pipeline_tag") == task)
            and (low is None or (total is not None and total >= low))
            and (high is None or (total is not None and total <= high))
            and not (kind == "model" and no_inference)  # no inference is served from here
        )

    return matches


def _parameter_range(text: str | None) -> tuple[float | None, float | None]:
    """`min:6B,max:128B` → numbers of parameters."""
    if not text:
        return None, None
    bounds: dict[str, float] = {}
    for part in text.split(","):
        found = re.fullmatch(r"(min|max):(\d+(?:\.\d+)?)([KMBT]?)", part.strip(), re.IGNORECASE)
        if found is None:
            raise Refusal(400, f"num_parameters must look like min:6B,max:128B, not {text[:100]!r}.")
        bounds[found[1].lower()] = round(float(found[2]) * _UNITS[found[3].upper()])
    return bounds.get("min"), bounds.get("max")


def _sibling(path: str, commit: Commit, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    entry = commit.files[path]
    shown: dict[str, Any] = {"rfilename": path, "size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        shown["lfs"] = {"size": entry.size, "sha256": entry.sha256, "pointerSize": 134}
    return shown


def _plain(value: Any) -> Any:
    """YAML knows dates; JSON does not."""
    return json.loads(json.dumps(value, default=str))
