"""How numbers look: one format for counts, sizes, time and money, everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

from screens import clock
from workbench.plan import money


def count(value: float | None) -> str:
    """12345 → "12.3k"; "–" for unknown. Three significant digits."""
    if value is None:
        return "–"
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g}{unit}" if abs(value) < limit * 999.5 else f"{value / limit:.0f}{unit}"
    return f"{value:.0f}"


def size(value: float | None) -> str:
    """Bytes, decimal units as the Hub shows them: 1234567 → "1.23 MB"."""
    if value is None:
        return "–"
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f} B"


def gib(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def usd(value: float | None) -> str:
    """Money, as the engine writes it; "–" for unknown."""
    return "–" if value is None else money.format_usd(value)


def usd_range(value: tuple[float, float]) -> str:
    return money.format_usd_range(value)


def duration(seconds: float | None) -> str:
    """41 → "41s", 125 → "2m05s", 7320 → "2h02m", 200000 → "2d07h"; at most two units."""
    if seconds is None:
        return "–"
    total = max(0, round(seconds))
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02d}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02d}m"
    return f"{total // 86400}d{total % 86400 // 3600:02d}h"


def hours_range(hours: tuple[float, float]) -> str:
    """A range of hours in the unit that suits it: "3–6m", "1.2–2h"."""
    low, high = hours
    if high * 60 < 99.5:
        a, b = max(1, round(low * 60)), max(1, round(high * 60))
        return f"{a}m" if a == b else f"{a}–{b}m"
    if high < 99.5:
        a_text, b_text = f"{low:.2g}" if low < 9.95 else f"{low:.0f}", f"{high:.2g}" if high < 9.95 else f"{high:.0f}"
        return f"{a_text}h" if a_text == b_text else f"{a_text}–{b_text}h"
    return f"{low / 24:.0f}–{high / 24:.0f}d"


def ago(when: datetime | float | None, now: datetime | None = None) -> str:
    """How long ago, in one unit: "now", "5m", "3h", "12d", "4mo", "2y"."""
    if when is None:
        return "–"
    if isinstance(when, int | float):
        when = datetime.fromtimestamp(when, UTC)
    seconds = ((now or datetime.fromtimestamp(clock.now(), UTC)) - when).total_seconds()
    if seconds < 45:
        return "now"
    for limit, unit, per in ((5400, "m", 60), (129600, "h", 3600), (5184000, "d", 86400), (63072000, "mo", 2629800)):
        if seconds < limit:
            return f"{max(1, round(seconds / per))}{unit}"
    return f"{round(seconds / 31557600)}y"


def number(value: float | None) -> str:
    """A measured value, four significant digits: 0.000123 → "1.23e-04", 2.34567 → "2.346"."""
    if value is None:
        return "–"
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    magnitude = abs(value)
    if value == 0:
        return "0"
    if magnitude < 1e-3 or magnitude >= 1e6:
        return f"{value:.2e}"
    return f"{value:.4g}"
