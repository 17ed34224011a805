"""The machines one can rent: the bundled price list, and what each GPU really offers.

The label on a card is not what a job gets: an A10G sold as 24 GB reports 22.836e9 bytes. `facts` knows the usable
memory, arithmetic and bandwidth of every GPU on the list, and derives them from the label, marked, for a new one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.hub.records import Flavor

GIB = 1024.0**3


@dataclass(frozen=True)
class GpuFacts:
    """One card.

    Attributes:
        model: its name in the price list, such as "A10G"; "" = no GPU, `usable_gib` is then host memory.
        usable_gib: GiB that torch reports as the card's total.
        peak_flops: dense half-precision tensor FLOP/s (bf16 where there is one, else fp16).
        bandwidth: bytes a second between the card's memory and its cores.
        bf16: whether it computes in bfloat16 (else float16).
        guessed: True if derived from the label of a card this table does not know.
    """

    model: str
    usable_gib: float
    peak_flops: float
    bandwidth: float
    bf16: bool = True
    guessed: bool = False


# Usable GiB: "Max memory" in Unsloth's start-up banner on that card (torch's total_memory), from public logs; A10G:
# the 22.836e9 bytes of hub-contract §3.2. The lower value is kept where banners differ (T4 14.563 with ECC on some
# hosts, 14.741 on others). FLOP/s and bytes/s: NVIDIA's data sheets, dense (half of the "with sparsity" figure).
_CARDS: dict[str, GpuFacts] = {
    card.model: card
    for card in (
        GpuFacts("T4", 14.563, 65e12, 320e9, bf16=False),
        GpuFacts("V100", 15.77, 112e12, 900e9, bf16=False),
        GpuFacts("L4", 22.161, 121e12, 300e9),
        GpuFacts("A10G", 22.836e9 / GIB, 70e12, 600e9),
        GpuFacts("L40S", 44.392, 362e12, 864e9),
        GpuFacts("A100", 79.151, 312e12, 2039e9),
        GpuFacts("RTX PRO 6000", 94.971, 503e12, 1597e9),
        GpuFacts("H100", 79.179, 989e12, 3350e9),
        GpuFacts("H200", 139.7, 989e12, 4800e9),
        GpuFacts("B200", 178.0, 2250e12, 8000e9),
    )
}

# A card that exists in several sizes keeps its speed; its usable memory follows the label by this ratio, the lowest
# usable ÷ label (GiB ÷ 10⁹-byte GB) in the table: A10G 21.27 of 24, L40S 44.39 of 48.
_USABLE_OF_LABEL = 0.885
_LABELS_GB = {"T4": 16, "V100": 16, "L4": 24, "A10G": 24, "L40S": 48, "A100": 80, "RTX PRO 6000": 96}
_LABELS_GB |= {"H100": 80, "H200": 141, "B200": 192}


@functools.lru_cache(maxsize=256)
def facts(flavor: Flavor) -> GpuFacts:
    """What one card of `flavor` offers; for a flavor without a GPU, the machine's own memory and cores."""
    if not flavor.gpus or not flavor.gpu:
        return _cpu(flavor)
    known = _CARDS.get(_plain(flavor.gpu))
    if known is None:
        # An unknown card: as slow per byte as the slowest modern one, so that neither time nor fit is flattered.
        usable = flavor.vram_gb * _USABLE_OF_LABEL
        return GpuFacts(flavor.gpu, usable, 65e12, 300e9, guessed=True)
    label = _LABELS_GB[known.model]
    if flavor.vram_gb and abs(flavor.vram_gb - label) > 0.05 * label:
        return replace(known, usable_gib=flavor.vram_gb * _USABLE_OF_LABEL, guessed=True)
    return known


def _cpu(flavor: Flavor) -> GpuFacts:
    """Host memory less 1.5 GB for the system; 30 GFLOP/s of float32 a vCPU (measured on 2 of them)."""
    usable = max(0.5, flavor.ram_gb * 1e9 / GIB - 1.5)
    return GpuFacts("", usable, 30e9 * max(1, flavor.vcpu) ** 0.85, 10e9 * max(1, flavor.vcpu), bf16=False)


@functools.cache
def _plain(name: str) -> str:
    """ "NVIDIA A10G" and "nvidia-a10g" → "A10G"; "RTX-PRO-6000" → "RTX PRO 6000"."""
    words = name.upper().replace("-", " ").replace("_", " ").split()
    words = [word for word in words if word not in ("NVIDIA", "TESLA", "GEFORCE")]
    joined = " ".join(words)
    for card in sorted(_CARDS, key=len, reverse=True):
        if joined == card or joined.startswith(card + " "):
            return card
    return joined


def bundled_flavors() -> tuple[Flavor, ...]:
    """The price list that came with this version, in its own order (CPU first, then by card)."""
    return _bundled()[1]


def bundled_date() -> str:
    """The day the bundled price list was last changed at its source, "YYYY-MM-DD"; "" if the list does not say."""
    return _bundled()[0]


def find(flavors: tuple[Flavor, ...], name: str) -> Flavor | None:
    """The flavor called `name`, if there is one."""
    return next((flavor for flavor in flavors if flavor.name == name), None)


def _list_file() -> Path:
    """`assets/hardware.json`: a sibling of the package, in a checkout and in an installed wheel alike."""
    return Path(__file__).resolve().parents[2] / "assets" / "hardware.json"


@functools.cache
def _bundled() -> tuple[str, tuple[Flavor, ...]]:
    path = _list_file()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return _date(data), tuple(_flavor(item) for item in data["flavors"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(
            "the bundled price list cannot be read", where=str(path), mend="Reinstall lora-workbench."
        ) from error


def _date(data: Mapping[str, Any]) -> str:
    import re

    found = re.search(r"\d{4}-\d{2}-\d{2}", str(data.get("source", "")))
    return found.group() if found else ""


def _flavor(item: Mapping[str, Any]) -> Flavor:
    gpus = int(item["gpus"])
    gpu = str(item["gpu"])
    name = str(item["name"])
    pretty = f"{gpus}× {gpu}" if gpus > 1 else gpu or f"{item['vcpu']} vCPU"
    return Flavor(
        name=name,
        pretty=pretty,
        gpu=gpu,
        gpus=gpus,
        vram_gb=float(item["vram_total_gb"]) / gpus if gpus else 0.0,
        vcpu=int(item["vcpu"]),
        ram_gb=float(item["ram_gb"]),
        disk_gb=float(item["disk_gb"]),
        usd_per_hour=float(item["usd_per_hour"]),
    )
