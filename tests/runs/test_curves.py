"""Thinning keeps every peak; axes stay on round numbers and still."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.runs.curves import domain, smooth, thin, ticks

finite = st.floats(-1e9, 1e9)


@given(st.lists(finite, min_size=1, max_size=3000), st.integers(1, 50))
def test_thinning_keeps_minimum_and_maximum_of_every_column(values: list[float], columns: int) -> None:
    x = [float(i) for i in range(len(values))]
    xs, ys = thin(x, values, columns)
    assert len(xs) <= max(2 * columns, 2) or len(xs) == len(values) <= 2 * columns
    assert xs == sorted(xs)
    span = x[-1] - x[0]
    for column in range(columns):
        inside = [v for a, v in zip(x, values, strict=True)
                  if span and min(int((a - x[0]) * (columns / span)), columns - 1) == column]  # fmt: skip
        if inside:
            assert min(inside) in ys
            assert max(inside) in ys


def test_a_single_spike_in_a_million_survives() -> None:
    values = [1.0] * 1_000_000
    values[567_891] = 99.0
    x = [float(i) for i in range(len(values))]
    xs, ys = thin(x, values, 100)
    assert len(xs) <= 200
    assert (567_891.0, 99.0) in zip(xs, ys, strict=True)


def test_what_is_not_a_number_is_left_out() -> None:
    assert thin([0.0, 1.0, 2.0], [1.0, math.nan, math.inf], 10) == ([0.0], [1.0])
    many = [math.nan] * 5000
    assert thin([float(i) for i in range(5000)], many, 10) == ([], [])


def test_curves_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        thin([1.0], [1.0, 2.0], 10)


@given(finite, finite, st.integers(1, 20))
def test_ticks_cover_the_range_on_round_numbers(a: float, b: float, most: int) -> None:
    low, high = min(a, b), max(a, b)
    marks = ticks(low, high, most)
    slack = max(abs(low), abs(high), 1e-9) * 1e-6 + (0.2 * max(abs(low), 1.0) if low == high else 0)
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack
    assert 2 <= len(marks) <= most + 3


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.integers(10, 100_000))
def test_the_axis_moves_seldom(growth: list[float], end: int) -> None:
    """While a run grows from 0 to its end the right edge changes at most once a doubling."""
    steps = sorted(min(g, end) for g in growth)
    edges = [domain(step, float(end)) for step in steps]
    assert all(edge >= step for edge, step in zip(edges, steps, strict=True))
    assert len(set(edges)) <= math.ceil(math.log2(end)) + 2


def test_smoothing_starts_at_the_first_value_and_forgets() -> None:
    assert smooth([4.0, 4.0, 4.0], 0.9) == pytest.approx([4.0, 4.0, 4.0])
    smoothed = smooth([0.0] * 5 + [10.0] * 200, 0.9)
    assert smoothed[5] < 3
    assert smoothed[-1] == pytest.approx(10.0, abs=1e-6)
    with pytest.raises(ValueError, match="weight"):
        smooth([1.0], 1.0)
