"""`SampleRepo`: one repo of the sample Hub in memory, and how it is laid out on disk for the local server.

On disk a repo is a folder of files and, beside it, a sidecar `<name>.json` with what the Hub's API says about it
(keys as on the wire: downloads, likes, tags, gated, cardData, …). Everything is a pure function of the code: no
clock, no random source without a seed, so that two builds are equal byte for byte and revisions stay the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Gated = Literal[False, "auto", "manual"]


@dataclass(frozen=True)
class Popularity:
    """Made-up but plausible counters and dates (ISO 8601 ending in Z); they only give a list something to sort by."""

    downloads: int
    likes: int
    trending: int
    created: str
    modified: str


@dataclass(frozen=True)
class SampleRepo:
    """One repo: its files by path, its card's front matter and text, and what the API says beyond them.

    Attributes:
        gated / accessible: whether terms must be accepted, and whether the demo's user has done so.
        extra_tags: tags the Hub would add by itself (formats, libraries, architecture).
    """

    kind: Literal["models", "datasets"]
    id: str
    files: Mapping[str, bytes]
    front: Mapping[str, Any]
    card: str
    popularity: Popularity
    extra_tags: Sequence[str] = ()
    gated: Gated = False
    accessible: bool = True

    def sidecar(self) -> dict[str, Any]:
        """The repo as the listing routes report it (the local server adds id, sha, siblings, safetensors)."""
        facts: dict[str, Any] = {
            "downloads": self.popularity.downloads,
            "likes": self.popularity.likes,
            "trendingScore": self.popularity.trending,
            "tags": _tags(self.front, self.extra_tags),
            "gated": self.gated,
            "private": False,
            "accessible": self.accessible,
            "createdAt": self.popularity.created,
            "lastModified": self.popularity.modified,
            "cardData": dict(self.front),
        }
        if self.kind == "models":
            facts["pipeline_tag"] = self.front["pipeline_tag"]
            facts["library_name"] = self.front["library_name"]
        else:
            facts["description"] = " ".join(self.card.split("\n\n")[1].split())
        return facts

    def write(self, folder: Path) -> None:
        """Write files, README.md and sidecar below `folder`/{models,datasets}/."""
        base = folder / self.kind / self.id
        for name, content in {**self.files, "README.md": readme(self.front, self.card)}.items():
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        base.with_name(base.name + ".json").write_bytes(json_bytes(self.sidecar()))


def _tags(front: Mapping[str, Any], extra: Sequence[str]) -> list[str]:
    """Tags as the Hub derives them from a card: `license:…`, `language:…`, `dataset:…`, and plain ones."""
    tags: list[str] = []
    for key in ("task_categories", "language", "license", "size_categories", "datasets"):
        value = front.get(key, [])
        values = value if isinstance(value, list) else [value]
        # A model's languages are plain tags, a dataset's carry the prefix.
        plain = key == "language" and "pipeline_tag" in front
        prefix = "dataset" if key == "datasets" else key
        tags += [str(one) if plain else f"{prefix}:{one}" for one in values]
    tags += [str(tag) for tag in front.get("tags", [])]
    tags += list(extra)
    tags.append("region:us")
    return list(dict.fromkeys(tags))


def readme(front: Mapping[str, Any], text: str) -> bytes:
    """README.md: YAML front matter, then the card."""
    import yaml  # type: ignore[import-untyped]

    head = yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{head}---\n\n{text.strip()}\n".encode()


def json_bytes(value: Any, *, indent: int | None = 2) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()


def jsonl_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """RFC 4180 with a header line; quotes only where needed."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def parquet_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One Parquet file with types inferred from the rows. Same pyarrow, same bytes."""
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), sink, compression="snappy")
    return bytes(sink.getvalue().to_pybytes())
