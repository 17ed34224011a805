"""What the Hub knows about a repo from its files: the card's metadata, tags, the config, parameter counts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from workbench.local.store import Commit, RepoStore

# Card keys that become tags: bare values, or `key:value` (as the Hub writes them).
_BARE = ("tags", "language")
_PREFIXED = ("license", "datasets", "base_model", "task_categories", "task_ids", "size_categories", "multilinguality")
_TAG_PREFIX = {"datasets": "dataset"}
_BOUND = 1 << 20


def card_data(text: str) -> dict[str, Any]:
    """The YAML front matter of a README, {} when there is none or it is broken."""
    import yaml  # type: ignore[import-untyped]

    block = front_matter(text)
    if block is None:
        return {}
    try:
        value = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def front_matter(text: str) -> str | None:
    text = text.lstrip("\ufeff").replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return None
    end = text.find("\n---", 3)
    return text[4 : end + 1] if end >= 0 else None


def validate_yaml(text: str) -> list[str]:
    """What is wrong with a card's metadata, a sentence each (`POST /api/validate-yaml`)."""
    import yaml

    block = front_matter(text)
    if block is None:
        return []
    try:
        value = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return [f"The card's metadata is not valid YAML: {' '.join(str(error).split())}"]
    return [] if value is None or isinstance(value, dict) else ["The card's metadata must be a list of keys."]


def read_card(store: RepoStore, commit: Commit) -> dict[str, Any]:
    entry = commit.files.get("README.md")
    return card_data(store.read(entry, _BOUND).decode("utf-8", "replace")) if entry else {}


def derived_tags(card: Mapping[str, Any], files: Mapping[str, object], kind: str) -> list[str]:
    """Tags in the Hub's own spelling, in a stable order."""
    tags: list[str] = []
    for key in _BARE:
        tags += _strings(card.get(key))
    for key in ("library_name", "pipeline_tag"):
        tags += _strings(card.get(key))
    for key in _PREFIXED:
        prefix = _TAG_PREFIX.get(key, key)
        tags += [f"{prefix}:{value}" for value in _strings(card.get(key))]
    if kind == "model" and any(path.endswith(".safetensors") for path in files):
        tags.append("safetensors")
    return list(dict.fromkeys(tags))


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if isinstance(one, str | int | float) and not isinstance(one, bool)]


def config_summary(store: RepoStore, commit: Commit) -> dict[str, Any]:
    """The part of config.json and tokenizer_config.json that the Hub shows in `config`."""
    config = _json(store, commit, "config.json")
    summary: dict[str, Any] = {
        key: config[key] for key in ("architectures", "model_type", "quantization_config") if key in config
    }
    tokenizer = _json(store, commit, "tokenizer_config.json")
    keys = ("bos_token", "eos_token", "pad_token", "unk_token", "chat_template")
    shown = {key: tokenizer[key] for key in keys if tokenizer.get(key) is not None}
    template = commit.files.get("chat_template.jinja")
    if template is not None:
        shown["chat_template"] = store.read(template, _BOUND).decode("utf-8", "replace")
    if shown:
        summary["tokenizer_config"] = shown
    return summary


def _json(store: RepoStore, commit: Commit, path: str) -> dict[str, Any]:
    entry = commit.files.get(path)
    if entry is None or entry.size > 8 * _BOUND:
        return {}
    try:
        value = json.loads(store.read(entry))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def safetensors_summary(store: RepoStore, commit: Commit) -> dict[str, Any] | None:
    """`{"parameters": {dtype: count}, "total": count}` from the headers of the root's safetensors files."""
    counts: dict[str, int] = {}
    for path, entry in commit.files.items():
        if "/" in path or not path.endswith(".safetensors"):
            continue
        for tensor in _header(store, entry.sha256).values():
            if isinstance(tensor, dict) and isinstance(tensor.get("shape"), list):
                dtype = str(tensor.get("dtype"))
                counts[dtype] = counts.get(dtype, 0) + math.prod(int(size) for size in tensor["shape"])
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def _header(store: RepoStore, sha256: str) -> dict[str, Any]:
    """A safetensors header: 8 bytes little-endian length, then JSON; {} for a damaged file."""
    with store.blob_path(sha256).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= 100 * _BOUND:
            return {}
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            return {}
    if not isinstance(header, dict):
        return {}
    header.pop("__metadata__", None)
    return header
