"""The catalog: pages of models and datasets by search, filter and sort, and one of them opened.

The client's `list_models` is an iterator that hides the cursor and asks without a time-out. A pane wants one page
at a time and a place to go on from, so the pages are read by hand (`Hub.get_page`): same routes, same parameters
(hub-contract §6), and `next` is the address in the `Link` header.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from workbench.errors import HubError
from workbench.hub import parse
from workbench.hub.client import Hub
from workbench.hub.files import checked_id, read_text_or_empty
from workbench.hub.records import DatasetDetails, DatasetRecord, ModelDetails, ModelRecord

Sort = Literal["trendingScore", "downloads", "likes", "lastModified", "createdAt"]
SORTS: tuple[Sort, ...] = ("trendingScore", "downloads", "likes", "lastModified", "createdAt")

# `expand` returns only what is listed (and the id): enough for a row, a fraction of the full answer.
_COMMON = ("author", "sha", "downloads", "likes", "lastModified", "createdAt", "gated", "private", "tags")
_MODEL_FIELDS = (*_COMMON, "pipeline_tag", "library_name", "safetensors")
_DATASET_FIELDS = (*_COMMON, "description")

T = TypeVar("T")


@dataclass(frozen=True)
class ModelQuery:
    """What to look for; an empty field does not filter.

    `task` is a pipeline tag, `min_params`/`max_params` are parameter counts, `apps` and `trained_on` (a dataset id)
    filter by tag. `gated` True or False shows only gated or only open repos.
    """

    text: str = ""
    author: str = ""
    task: str = ""
    library: str = ""
    licence: str = ""
    language: str = ""
    gated: bool | None = None
    min_params: int | None = None
    max_params: int | None = None
    apps: tuple[str, ...] = ()
    trained_on: str = ""
    tags: tuple[str, ...] = ()
    sort: Sort = "trendingScore"


@dataclass(frozen=True)
class DatasetQuery:
    """What to look for; an empty field does not filter.

    `task` is a task category ("text-generation"), `size` a size category ("1K<n<10K"), `language` a code ("en"),
    `modality` such as "text".
    """

    text: str = ""
    author: str = ""
    task: str = ""
    language: str = ""
    size: str = ""
    licence: str = ""
    modality: str = ""
    gated: bool | None = None
    tags: tuple[str, ...] = ()
    sort: Sort = "trendingScore"


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some results. `next` is an opaque cursor for the following page, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


def models(hub: Hub, query: ModelQuery, *, cursor: str | None = None, limit: int = 50) -> Page[ModelRecord]:
    """One page of models. With a cursor the query is not needed again: the cursor carries it.

    Raises:
        HubError: the Hub cannot be reached, is silent, refuses, or answers nonsense.
    """
    params = {} if cursor else model_params(query, limit)
    return _page(hub, "/api/models", params, cursor, parse.model_record)


def datasets(hub: Hub, query: DatasetQuery, *, cursor: str | None = None, limit: int = 50) -> Page[DatasetRecord]:
    """One page of datasets; as `models`."""
    params = {} if cursor else dataset_params(query, limit)
    return _page(hub, "/api/datasets", params, cursor, parse.dataset_record)


def model_details(hub: Hub, repo: str, *, revision: str = "main") -> ModelDetails:
    """A model opened: files with sizes, config.json, the card, and whether it has a chat template.

    A gated repo opens too: what its files would say is then taken from the Hub's own summary, as far as it goes.

    Raises:
        NotFoundError: no such repo or revision, or not an id.
        HubError
    """
    info = _info(hub, "model", repo, revision)
    record = parse.model_record(info)
    found = parse.files(info)
    paths = {file.path for file in found}
    summary = info.get("config") if isinstance(info.get("config"), Mapping) else {}
    sha = record.sha or revision

    def wanted(path: str) -> str:
        return read_text_or_empty(hub, "model", repo, sha, path) if path in paths else ""

    with ThreadPoolExecutor(max_workers=3) as pool:
        card, config_text, tokenizer_text = pool.map(wanted, ("README.md", "config.json", "tokenizer_config.json"))
    config = _object(config_text) or dict(summary or {})
    template = (
        bool(paths & {"chat_template.jinja", "chat_template.json"})
        or bool(_object(tokenizer_text).get("chat_template"))
        or bool(_object_in(summary, "tokenizer_config").get("chat_template"))
        or bool((summary or {}).get("chat_template_jinja"))
    )
    return ModelDetails(record=record, config=config, files=found, card=card, chat_template=template)


def dataset_details(hub: Hub, repo: str, *, revision: str = "main") -> DatasetDetails:
    """A dataset opened: files with sizes and the card. Errors as in `model_details`."""
    info = _info(hub, "dataset", repo, revision)
    record = parse.dataset_record(info)
    found = parse.files(info)
    has_card = any(file.path == "README.md" for file in found)
    card = read_text_or_empty(hub, "dataset", repo, record.sha or revision, "README.md") if has_card else ""
    return DatasetDetails(record=record, files=found, card=card)


def model_params(query: ModelQuery, limit: int) -> dict[str, Any]:
    """The query as `/api/models` takes it (hub-contract §6)."""
    filters = [
        *((query.library,) if query.library else ()),
        *((f"license:{query.licence}",) if query.licence else ()),
        *((query.language,) if query.language else ()),
        *((f"dataset:{query.trained_on}",) if query.trained_on else ()),
        *query.tags,
    ]
    params = _common_params(query, filters, limit, _MODEL_FIELDS)
    if query.task:
        params["pipeline_tag"] = query.task
    if query.apps:
        params["apps"] = list(query.apps)
    bounds = [
        f"{name}:{_short(bound)}"
        for name, bound in (("min", query.min_params), ("max", query.max_params))
        if bound is not None
    ]
    if bounds:
        params["num_parameters"] = ",".join(bounds)
    return params


def dataset_params(query: DatasetQuery, limit: int) -> dict[str, Any]:
    """The query as `/api/datasets` takes it (hub-contract §6)."""
    pairs = (
        ("task_categories", query.task),
        ("language", query.language),
        ("size_categories", query.size),
        ("license", query.licence),
        ("modality", query.modality),
    )
    filters = [f"{key}:{value}" for key, value in pairs if value] + list(query.tags)
    return _common_params(query, filters, limit, _DATASET_FIELDS)


def _common_params(
    query: ModelQuery | DatasetQuery, filters: list[str], limit: int, fields: tuple[str, ...]
) -> dict[str, Any]:
    params: dict[str, Any] = {"limit": max(1, limit), "sort": query.sort, "expand": list(fields)}
    if words := " ".join(query.text.split()):
        params["search"] = words
    if query.author:
        params["author"] = query.author
    if filters:
        params["filter"] = filters
    if query.gated is not None:
        params["gated"] = query.gated
    return params


def _page(
    hub: Hub, path: str, params: dict[str, Any], cursor: str | None, record: Callable[[Mapping[str, Any]], T]
) -> Page[T]:
    body, following = hub.get_page(cursor or path, params or None)
    if not isinstance(body, list):
        raise HubError("the server's answer is not what a Hub says", where=path, mend="Check HF_ENDPOINT.")
    items = tuple(record(item) for item in parse.records(body) if item.get("id") or item.get("modelId"))
    # A page that leads to itself would be followed for ever.
    return Page(items=items, next=following if following != cursor else None)


def _info(hub: Hub, kind: Literal["model", "dataset"], repo: str, revision: str) -> Mapping[str, Any]:
    from urllib.parse import quote

    path = f"/api/{kind}s/{checked_id(repo)}"
    if revision != "main":
        path += f"/revision/{quote(revision, safe='')}"
    try:
        info = hub.get_json(path, params={"blobs": True})
    except HubError as error:
        raise type(error)(error.what, where=repo, mend=error.mend, status=error.status) from error
    if not isinstance(info, Mapping) or not info.get("id"):
        raise HubError("the server's answer is not what a Hub says", where=repo, mend="Check HF_ENDPOINT.")
    return info


def _object(raw: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _object_in(value: Any, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _short(count: int) -> str:
    """A parameter count as the Hub writes it: 1500000000 → "1.5B"."""
    for unit, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            return f"{count / unit:.6g}{letter}"
    return str(count)
