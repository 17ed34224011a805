"""From the Hub's JSON to our records. Nothing here raises: a field that is missing or odd becomes its default.

Real answers are uneven – gated is false, true, "auto" or "manual", a licence is a tag or a card field (a string or
a list), safetensors may be absent, a date may be anything – and one strange repo must not empty a whole page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from workbench.hub.records import DatasetRecord, Gated, ModelRecord, RepoFile


def model_record(item: Mapping[str, Any]) -> ModelRecord:
    """One item of `/api/models`, or the whole of `/api/models/{id}`."""
    tags = texts(item.get("tags"))
    dtypes, parameters = _parameters(item.get("safetensors"))
    repo = text(item.get("id")) or text(item.get("modelId"))
    return ModelRecord(
        id=repo,
        sha=text(item.get("sha")),
        author=_author(item, repo),
        downloads=whole(item.get("downloads")),
        likes=whole(item.get("likes")),
        updated=moment(item.get("lastModified") or item.get("createdAt")),
        gated=gated(item.get("gated")),
        private=item.get("private") is True,
        licence=_licence(item, tags),
        task=text(item.get("pipeline_tag")),
        library=text(item.get("library_name")),
        tags=tags,
        parameters=parameters,
        dtypes=dtypes,
    )


def dataset_record(item: Mapping[str, Any]) -> DatasetRecord:
    """One item of `/api/datasets`, or the whole of `/api/datasets/{id}`."""
    tags = texts(item.get("tags"))
    repo = text(item.get("id"))
    return DatasetRecord(
        id=repo,
        sha=text(item.get("sha")),
        author=_author(item, repo),
        downloads=whole(item.get("downloads")),
        likes=whole(item.get("likes")),
        updated=moment(item.get("lastModified") or item.get("createdAt")),
        gated=gated(item.get("gated")),
        private=item.get("private") is True,
        licence=_licence(item, tags),
        tasks=_tagged(tags, "task_categories") or texts(_card(item).get("task_categories")),
        tags=tags,
        size_category=next(iter(_tagged(tags, "size_categories") or texts(_card(item).get("size_categories"))), ""),
        description=" ".join(text(item.get("description")).split()),
    )


def files(item: Mapping[str, Any]) -> tuple[RepoFile, ...]:
    """The repo's files with sizes in bytes; 0 where the Hub gives none. An LFS file counts with its true size."""
    found = []
    for entry in records(item.get("siblings")):
        path = text(entry.get("rfilename"))
        lfs = entry.get("lfs")
        size = whole(lfs.get("size")) if isinstance(lfs, Mapping) else 0
        if path:
            found.append(RepoFile(path=path, size=size or whole(entry.get("size"))))
    return tuple(found)


def gated(value: Any) -> Gated:
    """The Hub says false, "auto" or "manual"; some answers say true, which we read as the stricter."""
    if value in ("auto", "manual"):
        return "auto" if value == "auto" else "manual"
    return "manual" if value is True else "no"


def moment(value: Any) -> datetime | None:
    """An ISO time in UTC. More than six decimals (the Hub may send nine) are cut."""
    if not isinstance(value, str) or not value:
        return None
    whole_part, dot, rest = value.replace("Z", "+00:00").partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        whole_part = f"{whole_part}.{rest[: min(digits, 6)]}{rest[digits:]}" if digits else whole_part + rest
    try:
        found = datetime.fromisoformat(whole_part)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int:
    """A count: anything that is no finite number is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if abs(value) < 1e18 else 0


def texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return tuple(item for item in value if isinstance(item, str))
    return ()


def records(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; everything else in it is left out."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _author(item: Mapping[str, Any], repo: str) -> str:
    return text(item.get("author")) or (repo.split("/", 1)[0] if "/" in repo else "")


def _card(item: Mapping[str, Any]) -> Mapping[str, Any]:
    card = item.get("cardData")
    return card if isinstance(card, Mapping) else {}


def _tagged(tags: tuple[str, ...], key: str) -> tuple[str, ...]:
    return tuple(tag[len(key) + 1 :] for tag in tags if tag.startswith(f"{key}:"))


def _licence(item: Mapping[str, Any], tags: tuple[str, ...]) -> str:
    if found := _tagged(tags, "license"):
        return found[0]
    return next(iter(texts(_card(item).get("license"))), "")


def _parameters(value: Any) -> tuple[dict[str, int], int | None]:
    """(dtype → parameters, total) of the safetensors field; the total is None when nothing is said."""
    if not isinstance(value, Mapping):
        return {}, None
    by_dtype = value.get("parameters")
    dtypes = {str(key): whole(count) for key, count in by_dtype.items()} if isinstance(by_dtype, Mapping) else {}
    total = whole(value.get("total")) or sum(dtypes.values())
    return dtypes, total or None
