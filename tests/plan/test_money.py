"""Dollars: billed by the started minute, written as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.making import flavor
from workbench.plan.hardware import bundled_date, bundled_flavors
from workbench.plan.money import (
    billed_minutes,
    billed_range,
    billed_usd,
    burn_rate,
    format_hours,
    format_hours_range,
    format_rate,
    format_usd,
    format_usd_range,
    worst_case,
)


@given(st.integers(0, 10**7), st.floats(0, 50))
def test_every_started_minute_is_billed(seconds: int, price: float) -> None:
    assert billed_minutes(seconds) == -(-seconds // 60)
    assert billed_usd(seconds, price) == pytest.approx(math.ceil(seconds / 60) * price / 60)


@given(st.integers(0, 10**5))
def test_a_whole_number_of_minutes_is_not_rounded_up(minutes: int) -> None:
    assert billed_minutes(minutes / 60 * 3600) == minutes


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 50))
def test_longer_never_costs_less(one: float, other: float, price: float) -> None:
    low, high = sorted((one, other))
    assert billed_usd(low, price) <= billed_usd(high, price)


def test_the_first_second_costs_a_minute() -> None:
    assert billed_usd(1, 6.0) == pytest.approx(0.10)
    assert billed_usd(60, 6.0) == pytest.approx(0.10)
    assert billed_usd(61, 6.0) == pytest.approx(0.20)
    assert billed_usd(0, 6.0) == 0
    assert billed_range((0.5, 1.0), 6.0) == pytest.approx((3.0, 6.0))


def test_the_worst_case_is_the_whole_timeout() -> None:
    assert worst_case(flavor("a10g-small"), 2 * 3600) == pytest.approx(2.0)
    assert worst_case(flavor("a100x8"), 90 * 60) == pytest.approx(30.0)
    assert burn_rate([1.0, 0.4]) == pytest.approx(1.4)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0, "$0"),
        (0.004, "<$0.01"),
        (0.005, "$0.01"),
        (0.42, "$0.42"),
        (12.8, "$12.80"),
        (999.99, "$999.99"),
        (999.999, "$1,000"),
        (1204.4, "$1,204"),
        (-3.5, "-$3.50"),
    ],
)
def test_dollars_in_words(usd: float, text: str) -> None:
    assert format_usd(usd) == text


def test_ranges_in_words() -> None:
    assert format_usd_range((0.42, 0.8)) == "$0.42–0.80"
    assert format_usd_range((0.421, 0.424)) == "$0.42"
    assert format_usd_range((0.001, 0.2)) == "<$0.01–0.20"
    assert format_rate(1.5) == "$1.50/h"
    assert format_hours_range((0.2, 0.33)) == "12–20 min"
    assert format_hours_range((0.01, 0.33)) == "36 s – 20 min"
    assert format_hours_range((0.2, 0.2)) == "12 min"
    assert format_hours_range((0.005, 0.01)) == "18–36 s"


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0, "0 s"), (40 / 3600, "40 s"), (0.2, "12 min"), (1.5, "90 min"), (2 + 5 / 60, "2 h 05"), (76, "3 d 4 h")],
)
def test_durations_in_words(hours: float, text: str) -> None:
    assert format_hours(hours) == text


def test_the_bundled_price_list() -> None:
    flavors = bundled_flavors()
    assert len(flavors) == 26
    assert len({each.name for each in flavors}) == 26
    assert bundled_date() == "2026-08-21"
    four = flavor("l4x4")
    assert (four.gpus, four.vram_gb, four.usd_per_hour, four.pretty) == (4, 24.0, 3.8, "4× L4")
    assert (flavor("cpu-basic").gpus, flavor("cpu-basic").gpu) == (0, "")
