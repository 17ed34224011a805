"""Money: the only place where dollars are computed and written down.

Hugging Face bills a job by the started minute, only while it is starting or running (hub-contract §2.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from workbench.hub.records import Flavor

# Dollars an hour when a job exposes a port, whatever the flavor (hub-contract §2.4).
EXPOSED_PORT_USD_PER_HOUR = 0.01

# A product such as 3 × 60.0 s may come out a hair above a whole minute; that hair is not a started minute.
_HAIR = 1e-6


def billed_minutes(seconds: float) -> int:
    """Started minutes in `seconds`; 0 for 0."""
    return max(0, math.ceil(seconds / 60.0 - _HAIR))


def billed_usd(seconds: float, usd_per_hour: float) -> float:
    """What `seconds` of a machine cost, in US dollars."""
    return billed_minutes(seconds) * usd_per_hour / 60.0


def billed_range(hours: tuple[float, float], usd_per_hour: float) -> tuple[float, float]:
    """A range of hours → the range of dollars."""
    return billed_usd(hours[0] * 3600.0, usd_per_hour), billed_usd(hours[1] * 3600.0, usd_per_hour)


def worst_case(flavor: Flavor, timeout_seconds: float) -> float:
    """The most a job can cost: it runs until its timeout stops it. US dollars."""
    return billed_usd(timeout_seconds, flavor.usd_per_hour)


def burn_rate(usd_per_hour: Iterable[float]) -> float:
    """Dollars an hour that the running jobs cost together."""
    return sum(usd_per_hour)


def format_usd(usd: float) -> str:
    """Dollars as people write them: "$0", "< 1¢", "$0.42", "$12.80", "$1,204"."""
    if usd < 0:
        return f"-{format_usd(-usd)}"
    if usd == 0:
        return "$0"
    if usd < 0.005:
        return "<$0.01"
    if usd < 999.995:
        return f"${usd:.2f}"
    return f"${usd:,.0f}"


def format_usd_range(usd: tuple[float, float]) -> str:
    """A range of dollars: "$0.42–0.80"; one figure when both ends read the same."""
    low, high = (format_usd(value) for value in usd)
    if low == high:
        return low
    return f"{low}–{high.removeprefix('$')}" if high.startswith("$") else f"{low}–{high}"


def format_rate(usd_per_hour: float) -> str:
    """A price: "$1.50/h"."""
    return f"{format_usd(usd_per_hour)}/h"


def format_hours(hours: float) -> str:
    """A duration as people say it: "40 s", "12 min", "2 h 05", "3 d 4 h"."""
    seconds = hours * 3600.0
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60.0)
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d}"
    whole = round(minutes / 60)
    return f"{whole // 24} d {whole % 24} h"


def format_hours_range(hours: tuple[float, float]) -> str:
    """A range of durations: "12 min – 20 min", "12–20 min" when the unit is the same."""
    low, high = (format_hours(value) for value in hours)
    if low == high:
        return low
    if low.endswith(" min") and high.endswith(" min"):
        return f"{low.removesuffix(' min')}–{high}"
    if low.endswith(" s") and high.endswith(" s"):
        return f"{low.removesuffix(' s')}–{high}"
    return f"{low} – {high}"
