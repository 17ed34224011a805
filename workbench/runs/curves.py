"""Curves as arrays: thinning that keeps every peak, and smoothing. Numbers in, numbers out.

Thinning by mean erases the loss spikes one looks for, so each pixel column keeps its minimum and its maximum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def thin(x: Sequence[float], y: Sequence[float], columns: int) -> tuple[list[float], list[float]]:
    """At most two points a column: the least and the greatest value of each, in order; non-finite points are left out.

    `x` must not decrease. `columns` is the number of pixel columns; shorter curves come back whole.
    """
    if len(x) != len(y):
        raise ValueError("x and y differ in length")
    if len(x) <= max(2, 2 * columns):
        kept = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
        return [a for a, _ in kept], [b for _, b in kept]
    import numpy as np

    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    finite = np.isfinite(ys) & np.isfinite(xs)
    if not finite.all():
        xs, ys = xs[finite], ys[finite]
    if len(xs) <= 2 * columns:
        return xs.tolist(), ys.tolist()
    span = xs[-1] - xs[0]
    if span <= 0:
        columns, bucket = 1, np.zeros(len(xs), dtype=np.int64)
    else:
        bucket = np.minimum(((xs - xs[0]) * (columns / span)).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    counts = np.diff(starts, append=len(xs))

    def first_that_is(extreme: Any) -> Any:
        """The index of the first point of each column that equals the column's extreme."""
        found = np.flatnonzero(ys == np.repeat(extreme, counts))
        return found[np.flatnonzero(np.diff(bucket[found], prepend=-1))]

    low = first_that_is(np.minimum.reduceat(ys, starts))
    high = first_that_is(np.maximum.reduceat(ys, starts))
    picked = np.unique(np.concatenate((low, high)))
    return xs[picked].tolist(), ys[picked].tolist()


def smooth(y: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average with the usual debiasing (0 = as it is, towards 1 = smoother); NaN stays NaN."""
    if not 0 <= weight < 1:
        raise ValueError(f"weight {weight} is not in [0, 1)")
    out: list[float] = []
    last, seen = 0.0, 0
    for value in y:
        if not math.isfinite(value):
            out.append(value)
            continue
        last = last * weight + (1 - weight) * value
        seen += 1
        out.append(last / (1 - weight**seen))
    return out


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high], at most `most` + 1 of them."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("no finite range")
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999999), 10 * power)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def domain(last: float, end: float | None) -> float:
    """The right end of a growing x-axis: rounded up in halvings of the known end (or powers of two), so that what is
    drawn already stays where it is for as long as possible."""
    if last <= 0:
        return 1.0
    if end and end > 0:
        top = float(end)
        if last >= top:
            return last
        while top / 2 >= last * 1.02 and top / 2 >= 8:
            top /= 2
        return top
    return float(2 ** math.ceil(math.log2(last * 1.02))) if last > 4 else 4.0
