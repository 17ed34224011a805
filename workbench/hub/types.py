"""A column's type as short text – "string", "list[{role,content}]", "Image" – from declared features or from values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

# A cell that holds a picture comes as one of these sets of keys: the viewer's, or an undecoded datasets.Image.
_IMAGE_KEYS = (frozenset({"src", "height", "width"}), frozenset({"bytes", "path"}))
_AUDIO_KEYS = frozenset({"src", "type"})
# Bytes of media are of no use in a terminal; beyond this only their number is kept.
_KEPT_BYTES = 4096


def of_features(features: Any) -> dict[str, str]:
    """Declared types → text. Takes `datasets.Features`, the viewer's list, or the JSON of either."""
    if isinstance(features, list):
        return {
            str(item.get("name")): of_feature(item.get("type"))
            for item in features
            if isinstance(item, Mapping) and item.get("name") is not None
        }
    if isinstance(features, Mapping):
        return {str(name): of_feature(feature) for name, feature in features.items()}
    return {}


def of_feature(feature: Any) -> str:
    """One declared type → text."""
    if feature is not None and not isinstance(feature, Mapping | list | str):
        feature = _described(feature)
    if isinstance(feature, list):
        return f"list[{_bare(of_feature(feature[0]))}]" if feature else "list"
    if not isinstance(feature, Mapping):
        return str(feature) if feature else "unknown"
    kind = feature.get("_type")
    if kind == "Value":
        return str(feature.get("dtype") or "unknown").replace("large_string", "string")
    if kind == "ClassLabel":
        return "int64 (class)"
    if kind in ("List", "LargeList", "Sequence"):
        return f"list[{_bare(of_feature(feature.get('feature')))}]"
    if kind == "Json":
        return "json"
    if isinstance(kind, str):
        return kind
    return f"struct{{{','.join(str(key) for key in feature if key != '_type')}}}"


def of_values(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Types as the values show them, columns in order of first appearance. Nulls count only when all are null."""
    seen: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.items():
            found = seen.setdefault(name, [])
            kind = of_value(value)
            if kind != "null" and kind not in found:
                found.append(kind)
    return {name: _merged(kinds) for name, kinds in seen.items()}


def of_value(value: Any) -> str:
    """One value's type as text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    if isinstance(value, bytes):
        return "binary"
    if isinstance(value, Mapping):
        if is_image(value):
            return "Image"
        if frozenset(value) == _AUDIO_KEYS:
            return "Audio"
        return f"struct{{{','.join(str(key) for key in value)}}}"
    if isinstance(value, list | tuple):
        kinds: list[str] = []
        for item in value:
            kind = of_value(item)
            if kind != "null" and kind not in kinds:
                kinds.append(kind)
        return f"list[{_bare(_merged(kinds))}]" if kinds else "list"
    return type(value).__name__


def is_image(value: Any) -> bool:
    """Whether a cell is a picture, by its keys."""
    return isinstance(value, Mapping) and any(frozenset(value) in (keys, keys | {"size"}) for keys in _IMAGE_KEYS)


def plain(value: Any) -> Any:
    """A value as plain JSON-like data: times as ISO text, big media bytes replaced by their number."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        raw = value.get("bytes")
        if isinstance(raw, bytes) and len(raw) > _KEPT_BYTES:
            return {"bytes": None, "path": value.get("path"), "size": len(raw)}
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value if len(value) <= _KEPT_BYTES else f"({len(value)} bytes)"
    if isinstance(value, timedelta | Decimal):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    return str(value)


def _merged(kinds: list[str]) -> str:
    if not kinds:
        return "null"
    # An empty list among filled ones says nothing new, nor does an int among floats.
    if len(kinds) > 1 and any(kind.startswith("list[") for kind in kinds):
        kinds = [kind for kind in kinds if kind != "list"]
    if set(kinds) == {"int64", "float64"}:
        return "float64"
    if len(kinds) == 1:
        return kinds[0]
    for start, end in (("list[{", "}]"), ("struct{", "}"), ("{", "}")):
        if all(kind.startswith(start) and kind.endswith(end) for kind in kinds):
            keys = [key for kind in kinds for key in kind[len(start) : -len(end)].split(",") if key]
            return f"{start}{','.join(dict.fromkeys(keys))}{end}"
    return "mixed"


def _bare(kind: str) -> str:
    """Inside a list a struct is written without its word: list[{role,content}]."""
    return kind.removeprefix("struct") if kind.startswith("struct{") else kind


def _described(feature: Any) -> Any:
    """A `datasets` feature object as the JSON the viewer would send for it."""
    kind = type(feature).__name__
    if kind == "Value":
        return {"_type": "Value", "dtype": feature.dtype}
    if kind in ("List", "LargeList", "Sequence"):
        return {"_type": kind, "feature": feature.feature}
    return {"_type": kind}
