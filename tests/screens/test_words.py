"""How numbers, searches and fields are shown and read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from screens import show
from screens.actions import key_name
from screens.fields import ALL, parsed, stepped
from screens.query import parse_search
from screens.terminal import to_ascii
from screens.widgets.doc import wrap
from screens.widgets.paint import cell, clean, shorten


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (999, "999"), (1000, "1k"), (12345, "12.3k"), (8.03e9, "8.03B"), (999_950, "1M")],
)
def test_counts(value: float | None, text: str) -> None:
    assert show.count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (125, "2m05s"), (7320, "2h02m"), (200_000, "2d07h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert show.duration(seconds) == text


def test_ranges_name_the_unit_once() -> None:
    assert show.hours_range((0.05, 0.1)) == "3–6m"
    assert show.hours_range((1.2, 2)) == "1.2–2h"
    assert show.hours_range((2, 2)) == "2h"
    assert show.usd_range((0.4, 0.8)) == "$0.40–0.80"


def test_ago_has_one_unit() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    for delta, text in ((10, "now"), (600, "10m"), (7200, "2h"), (86400 * 12, "12d"), (86400 * 400, "13mo")):
        assert show.ago(now - timedelta(seconds=delta), now) == text
    assert show.ago(None) == "–"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_can_be_shown(value: float) -> None:
    assert len(show.number(value)) <= 10


def test_a_search_is_words_and_filters() -> None:
    search = parse_search("qwen chat task:text-generation size:<3B gated:no licence:mit")
    assert search.words == "qwen chat"
    assert search.filters == {"task": "text-generation", "licence": "mit"}
    assert (search.gated, search.min_params, search.max_params) == (False, None, 3_000_000_000)


def test_a_half_typed_filter_is_not_a_word() -> None:
    assert parse_search("qwen task:").words == "qwen"
    assert parse_search("gated:perhaps").complaint


@given(st.text())
def test_no_search_text_raises(text: str) -> None:
    parse_search(text)


def test_arrows_step_through_values_and_stop_at_the_ends() -> None:
    rank = ALL["lora.rank"]
    assert stepped(rank, 16, 1) == 32
    assert stepped(rank, 16, -1) == 8
    assert stepped(rank, 20, 1) == 32
    assert stepped(rank, 20, -1) == 16
    assert stepped(rank, 512, 1) == 512


def test_what_is_typed_takes_the_type_of_the_value() -> None:
    assert parsed(ALL["lora.rank"], " 24 ", 16) == 24
    assert parsed(ALL["lora.rank"], "many", 16) == "many"  # the recipe will say what is wrong
    assert parsed(ALL["training.learning_rate"], "2e-4", 1e-4) == 2e-4
    assert parsed(ALL["lora.rslora"], "yes", False) is True
    assert parsed(ALL["lora.targets"], "q_proj, v_proj", "all-linear") == ["q_proj", "v_proj"]


@given(st.text())
def test_nothing_a_terminal_obeys_gets_through(text: str) -> None:
    cleaned = clean(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in cleaned)
    assert not any(c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028\u2029" for c in cleaned)


@given(st.text(), st.integers(0, 40))
def test_cells_are_exactly_as_wide_as_asked(text: str, width: int) -> None:
    assert cell_len(cell(text, width)) == width
    assert cell_len(shorten(clean(text), width)) <= max(width, 0)


@given(st.lists(st.tuples(st.text(), st.sampled_from(["", "dim"]))), st.integers(2, 60))
def test_wrapped_lines_fit_and_lose_no_word(pieces: list[tuple[str, str]], width: int) -> None:
    lines = wrap(pieces, width)
    assert all(sum(cell_len(text) for text, _ in line) <= width for line in lines)
    kept = "".join(text for line in lines for text, _ in line)
    assert kept.replace(" ", "") == "".join(clean(text) for text, _ in pieces).replace(" ", "")


@given(st.text())
def test_ascii_drawing_keeps_every_cell(text: str) -> None:
    drawn = to_ascii(clean(text))
    assert drawn.isascii()
    assert cell_len(drawn) == cell_len(clean(text))


def test_keys_have_names_people_know() -> None:
    assert key_name("ctrl+s") == "^s"
    assert key_name("question_mark") == "?"
