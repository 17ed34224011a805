"""The twelve sample datasets: topics put into the shapes that people meet on the Hub, each with a card.

Between them they use Parquet, JSON Lines and CSV, files found by convention and files named in the card's `configs`,
datasets with and without a test split, one that is gated, and one that is dirty on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from workbench.local.samples import shapes
from workbench.local.samples.made import Made
from workbench.local.samples.repo import (
    Gated,
    Popularity,
    SampleRepo,
    csv_bytes,
    jsonl_bytes,
    parquet_bytes,
)

OWNER = "sample-lab"
Rows = Sequence[Mapping[str, Any]]
_FORMATS: dict[str, Callable[[Rows], bytes]] = {"parquet": parquet_bytes, "jsonl": jsonl_bytes, "csv": csv_bytes}


def every_dataset() -> Iterator[SampleRepo]:
    """All twelve, in the order of the Hub's default sort (by downloads, falling)."""
    for make in shapes.ALL:
        yield assemble(make(Random(f"{OWNER}/{make.__name__}")))


def assemble(made: Made) -> SampleRepo:
    """Files, front matter and tags of one dataset from what its shape says."""
    files: dict[str, bytes] = dict(made.raw_files)
    formats: set[str] = set()
    for path, rows in made.tables.items():
        ending = path.rsplit(".", 1)[1]
        files[path] = _FORMATS[ending](rows)
        formats.add(ending)
    total = made.row_count
    front: dict[str, Any] = {
        "license": made.licence,
        "language": ["en"],
        "pretty_name": made.title,
        "size_categories": [_size_category(total)],
        "task_categories": list(made.tasks),
        "tags": ["sample", *made.tags],
    }
    if made.configs:
        front["configs"] = [dict(config) for config in made.configs]
    gated: Gated = made.gated
    if gated:
        front["extra_gated_prompt"] = "Please agree to use these texts for non-commercial experiments only."
    extra = [f"format:{'json' if kind == 'jsonl' else kind}" for kind in sorted(formats or {"jsonl"})]
    return SampleRepo(
        kind="datasets",
        id=f"{OWNER}/{made.name}",
        files=files,
        front=front,
        card=made.card,
        popularity=Popularity(*made.popularity),
        extra_tags=[*extra, "modality:text", "library:datasets"],
        gated=gated,
        accessible=not gated,
    )


def _size_category(rows: int) -> str:
    """The Hub's own bucket names."""
    return "n<1K" if rows < 1000 else "1K<n<10K"
