"""The flavors and their prices, in the form of `GET /api/jobs/hardware` (hub-contract §2.4).

The list is the published one (assets/hardware.json), so that what a plan costs on Hugging Face can be seen here;
on this machine nothing is billed, and every flavor is this machine.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

HARDWARE_FILE = Path(__file__).resolve().parents[2] / "assets" / "hardware.json"


@cache
def flavors() -> dict[str, dict[str, Any]]:
    """The entries of assets/hardware.json by flavor name."""
    listed = json.loads(HARDWARE_FILE.read_text(encoding="utf-8"))["flavors"]
    return {str(entry["name"]): entry for entry in listed}


def gpu_count(flavor: str) -> int:
    return int(flavors()[flavor]["gpus"])


def wire(entry: dict[str, Any]) -> dict[str, Any]:
    """One flavor as the Hub writes it. `vram` is of all its cards together, as on the price list."""
    per_minute = entry["usd_per_hour"] / 60
    gpus = int(entry["gpus"])
    accelerator = None
    pretty = {"cpu-basic": "CPU Basic", "cpu-upgrade": "CPU Upgrade", "cpu-xl": "CPU XL"}.get(entry["name"])
    if gpus:
        accelerator = {
            "type": "gpu",
            "model": entry["gpu"],
            "quantity": str(gpus),
            "vram": f"{entry['vram_total_gb']} GB",
            "manufacturer": "Nvidia",
        }
        pretty = f"{gpus}x Nvidia {entry['gpu']}" if gpus > 1 else f"Nvidia {entry['gpu']}"
        suffix = str(entry["name"]).rpartition("-")[2]
        if suffix in ("small", "medium", "large"):
            pretty = f"{pretty} - {suffix}"
    return {
        "name": entry["name"],
        "prettyName": pretty or str(entry["name"]).replace("cpu-", "CPU ").title().replace("Cpu", "CPU"),
        "cpu": f"{entry['vcpu']} vCPU",
        "ram": f"{entry['ram_gb']} GB",
        "ephemeralStorage": f"{entry['disk_gb']} GB",
        "accelerator": accelerator,
        "unitCostMicroUSD": round(per_minute * 1_000_000),
        "unitCostUSD": round(per_minute, 6),
        "unitLabel": "minute",
    }


async def hardware(_request: Request) -> Response:
    return JSONResponse([wire(entry) for entry in flavors().values()])
