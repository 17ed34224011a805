"""Rows by way of the dataset viewer (hub-contract §8): fast, typed, and not always there.

The viewer answers only for datasets it has converted; everything short of a good answer raises `ViewerUnready`, and
the caller goes another way. So no error of the viewer ever reaches a user.
"""

from __future__ import annotations

from typing import Any

from workbench.hub import parse, types
from workbench.hub.client import Hub, as_hub_error, same_origin
from workbench.hub.records import RowsPage, Split
from workbench.settings import PUBLIC_ENDPOINT, PUBLIC_VIEWER

# The viewer's own limit for one request.
PAGE = 100
# Seconds. It is only the fast way: a slow one is worth less than the next way.
TIMEOUT = 8.0


class ViewerUnready(Exception):
    """The viewer has no usable answer for this question."""


def splits(hub: Hub, dataset: str, revision: str) -> list[Split]:
    """Configs and splits with their row counts. Raises ViewerUnready."""
    _only_main(revision)
    body = _get(hub, "/splits", {"dataset": dataset})
    found = [
        Split(parse.text(item.get("config")), parse.text(item.get("split")))
        for item in parse.records(body.get("splits"))
        if item.get("config") and item.get("split")
    ]
    if not found or body.get("pending") or body.get("failed"):
        raise ViewerUnready("splits are missing")
    counts = _counts(hub, dataset)
    return [Split(item.config, item.split, counts.get((item.config, item.split))) for item in found]


def rows(hub: Hub, dataset: str, config: str, split: str, *, revision: str, offset: int, limit: int) -> RowsPage:
    """Rows [offset, offset + limit). Raises ViewerUnready, also for rows beyond what a partial viewer has."""
    _only_main(revision)
    found: list[dict[str, Any]] = []
    columns: dict[str, str] = {}
    total: int | None = None
    while len(found) < limit:
        length = min(PAGE, limit - len(found))
        params = {"dataset": dataset, "config": config, "split": split, "offset": offset + len(found), "length": length}
        body = _get(hub, "/rows", params)
        partial = bool(body.get("partial"))
        got = body.get("rows")
        columns = columns or types.of_features(body.get("features"))
        if not isinstance(got, list) or not columns:
            raise ViewerUnready("the answer has no rows or no features")
        total = None if partial or not isinstance(body.get("num_rows_total"), int) else body["num_rows_total"]
        for item in parse.records(got):
            row = item.get("row")
            if not isinstance(row, dict) or item.get("truncated_cells"):
                raise ViewerUnready("cells are cut")
            found.append(types.plain({name: row.get(name) for name in columns} | row))
        if len(got) < length:
            expected = total is not None and offset + len(found) >= total
            if not expected:
                raise ViewerUnready("fewer rows than asked for, and not the end")
            break
    return RowsPage(config, split, columns, tuple(found), total, "viewer")


def _counts(hub: Hub, dataset: str) -> dict[tuple[str, str], int]:
    """(config, split) → rows; empty when the viewer does not say, partial counts left out."""
    try:
        body = _get(hub, "/size", {"dataset": dataset})
    except ViewerUnready:
        return {}
    size = body.get("size")
    if body.get("partial") or not isinstance(size, dict):
        return {}
    return {
        (parse.text(item.get("config")), parse.text(item.get("split"))): parse.whole(item.get("num_rows"))
        for item in parse.records(size.get("splits"))
        if isinstance(item.get("num_rows"), int)
    }


def _only_main(revision: str) -> None:
    if revision != "main":
        raise ViewerUnready("the viewer knows the main revision only")


def _get(hub: Hub, path: str, params: dict[str, Any]) -> dict[str, Any]:
    base = hub.settings.viewer.rstrip("/")
    if not base:
        raise ViewerUnready("no viewer")
    headers = hub.headers()
    if not _trusted(hub, base):
        headers.pop("authorization", None)
    from huggingface_hub.utils import get_session

    try:
        response = get_session().get(f"{base}{path}", headers=headers, params=params, timeout=TIMEOUT)
        body = response.json() if response.status_code == 200 else None
    except Exception as error:
        if as_hub_error(error, base) is None and not isinstance(error, ValueError):
            raise
        raise ViewerUnready(type(error).__name__) from error
    if not isinstance(body, dict):
        raise ViewerUnready(f"status {response.status_code}")
    return body


def _trusted(hub: Hub, base: str) -> bool:
    """Whether this viewer may have our token: it is the Hub itself, or the public Hub's own viewer."""
    endpoint = hub.settings.endpoint
    return same_origin(base, endpoint) or (endpoint == PUBLIC_ENDPOINT and base == PUBLIC_VIEWER)
