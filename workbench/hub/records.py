"""The small frozen records this room hands out. Plain data: no client object leaks past `workbench.hub`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Gated = Literal["no", "auto", "manual"]

# The stages of a job, in order; the last four never change again (hub-contract §2.3).
TERMINAL_STAGES = frozenset({"COMPLETED", "ERROR", "CANCELED", "DELETED"})


@dataclass(frozen=True)
class ModelRecord:
    """A model as a list shows it. `parameters` is the total from the safetensors index, None if unknown."""

    id: str
    sha: str = ""
    author: str = ""
    downloads: int = 0
    likes: int = 0
    updated: datetime | None = None
    gated: Gated = "no"
    private: bool = False
    licence: str = ""
    task: str = ""
    library: str = ""
    tags: tuple[str, ...] = ()
    parameters: int | None = None
    dtypes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetRecord:
    """A dataset as a list shows it. `size_category` is the Hub's tag, such as "1K<n<10K"."""

    id: str
    sha: str = ""
    author: str = ""
    downloads: int = 0
    likes: int = 0
    updated: datetime | None = None
    gated: Gated = "no"
    private: bool = False
    licence: str = ""
    tasks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    size_category: str = ""
    description: str = ""


@dataclass(frozen=True)
class RepoFile:
    path: str
    size: int


@dataclass(frozen=True)
class ModelDetails:
    """A model opened: the record, its config.json, its files, and the card's text."""

    record: ModelRecord
    config: Mapping[str, Any]
    files: tuple[RepoFile, ...]
    card: str = ""
    chat_template: bool = False


@dataclass(frozen=True)
class DatasetDetails:
    record: DatasetRecord
    files: tuple[RepoFile, ...]
    card: str = ""


@dataclass(frozen=True)
class Split:
    config: str
    split: str
    rows: int | None = None


@dataclass(frozen=True)
class RowsPage:
    """Some rows of one split.

    Attributes:
        columns: name → type as text, such as "string", "list[{role,content}]", "int64".
        rows: the rows as plain Python values.
        total: rows in the split, None if unknown.
        source: where they came from: "viewer", "stream" or "file".
        problem: a sentence if some rows could not be read (the rest still can); else "".
    """

    config: str
    split: str
    columns: Mapping[str, str]
    rows: tuple[Mapping[str, Any], ...]
    total: int | None
    source: Literal["viewer", "stream", "file"]
    problem: str = ""


@dataclass(frozen=True)
class Flavor:
    """A machine one can rent by the minute (hub-contract §2.4).

    `vram_gb` is the label of ONE card in GB (10⁹ bytes as sold); `gpus` how many of them; `ram_gb`, `disk_gb` GB.
    """

    name: str
    pretty: str
    gpu: str
    gpus: int
    vram_gb: float
    vcpu: int
    ram_gb: float
    disk_gb: float
    usd_per_hour: float


@dataclass(frozen=True)
class Identity:
    """Who the token belongs to and what it may do, from `whoami-v2`.

    `role` is "read", "write", "fineGrained" or "" when the Hub does not say; `scopes` are the fine-grained
    permissions, as "entity:permission".
    """

    name: str
    fullname: str = ""
    orgs: tuple[str, ...] = ()
    can_pay: bool = False
    role: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobRecord:
    """A job as the Jobs API reports it. Times are UTC; `stage` in SCHEDULING, RUNNING, or TERMINAL_STAGES."""

    id: str
    namespace: str
    stage: str
    message: str = ""
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    flavor: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int | None = None
    url: str = ""

    @property
    def terminal(self) -> bool:
        return self.stage in TERMINAL_STAGES

    @property
    def name(self) -> str:
        return self.labels.get("name") or self.id


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log. `index` counts from 0 at the job's first line; `at` is Unix seconds or None."""

    index: int
    at: float | None
    text: str


@dataclass(frozen=True)
class HardwareSample:
    """One second of a job's hardware (hub-contract §3.2). Percent, bytes; per-GPU tuples in a stable order."""

    at: float
    cpu_percent: float
    memory_used: int
    memory_total: int
    gpu_percent: tuple[float, ...] = ()
    gpu_memory_used: tuple[int, ...] = ()
    gpu_memory_total: tuple[int, ...] = ()
    rx_bps: float = 0.0
    tx_bps: float = 0.0
