"""The pure parts of reading a stream, on anything that may come over the wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.hub.records import LogLine
from workbench.hub.replay import Broken, EventSplitter, LogDecoder, Merge, Raw, hardware_sample

TEXTS = st.sampled_from(["", "a", "b", "\r 1%|", "same"])


def logs(size: int = 30) -> st.SearchStrategy[list[Raw]]:
    """A log: few different texts, times that grow and often stand still."""
    return st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.5]), TEXTS), max_size=size).map(_timed)


def _timed(steps: list[tuple[float, str]]) -> list[Raw]:
    at = 1000.0
    made: list[Raw] = []
    for pause, text in steps:
        at += pause
        made.append((at, text))
    return made


def raws(lines: list[LogLine]) -> list[Raw]:
    return [(line.at, line.text) for line in lines]


@given(logs(), st.lists(st.integers(0, 30), max_size=6), st.integers(1, 7))
def test_replays_cut_anywhere_give_each_line_once(log: list[Raw], cuts: list[int], chunk: int) -> None:
    merge = Merge()
    got: list[LogLine] = []
    for cut in [*cuts, len(log)]:
        merge.begin()
        for start in range(0, min(cut, len(log)), chunk):
            got += merge.take(log[start : min(cut, len(log), start + chunk)])
    assert raws(got) == log
    assert [line.index for line in got] == list(range(len(log)))
    assert merge.covered and not merge.gap


@given(logs(), st.integers(0, 30))
def test_a_new_process_goes_on_where_the_old_one_stopped(log: list[Raw], held: int) -> None:
    kept = [LogLine(index, at, text) for index, (at, text) in enumerate(log[:held])]
    merge = Merge(kept)
    assert raws(merge.take(log)) == log[held:]


def numbered(count: int) -> list[Raw]:
    return [(1000.0 + number, f"line {number}") for number in range(count)]


def test_a_server_that_forgot_its_oldest_lines_doubles_nothing() -> None:
    merge = Merge()
    merge.take(numbered(10))
    merge.begin()
    assert raws(merge.take(numbered(14)[4:])) == numbered(14)[10:]


def test_a_replay_that_begins_behind_what_is_held_is_asked_for_again() -> None:
    merge = Merge()
    merge.take(numbered(10))
    merge.begin()
    assert merge.take(numbered(30)[20:]) == []
    assert merge.gap
    merge.begin()
    assert raws(merge.take(numbered(30))) == numbered(30)[10:]


def test_lines_that_are_lost_for_good_do_not_stop_the_rest() -> None:
    merge = Merge()
    merge.take(numbered(10))
    merge.begin(trusting=True)
    assert raws(merge.take(numbered(30)[20:])) == numbered(30)[20:]


def test_a_line_told_differently_at_the_same_moment_stays_as_it_was_held() -> None:
    merge = Merge()
    merge.take(numbered(5))
    merge.begin()
    changed = numbered(7)
    changed[2] = (changed[2][0], "line 2, edited")
    assert raws(merge.take(changed)) == numbered(7)[5:]
    merge.begin()
    assert raws(merge.take(changed[1:])) == [], "also when the oldest lines are gone as well"


def test_a_log_without_times_goes_by_position() -> None:
    log: list[Raw] = [(None, text) for text in ("a", "a", "", "b")]
    merge = Merge()
    merge.take(log[:3])
    merge.begin()
    assert raws(merge.take([*log, (None, "c")])) == [(None, "b"), (None, "c")]


@given(st.lists(st.text(max_size=12), max_size=8), st.integers(1, 9), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_chunks_may_end_anywhere(texts: list[str], size: int, end: str) -> None:
    wire = "".join(
        f"event: log{end[: len(end) // 2]}data: {json.dumps({'data': text}, ensure_ascii=False)}{end}: keep-alive{end}"
        for text in texts
    ).encode("utf-8", "replace")
    splitter = EventSplitter()
    found = [event for at in range(0, len(wire), size) for event in splitter.feed(wire[at : at + size])]
    expected = [text.encode("utf-8", "replace").decode() for text in texts]
    assert [event["data"] for event in found if not isinstance(event, Broken)] == expected
    assert not splitter.half


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(wire: bytes) -> None:
    decode = LogDecoder()
    for event in EventSplitter().feed(b"data: {" + wire + b'\ndata: {"data": 1}\n'):
        decode(event)
        if not isinstance(event, Broken):
            hardware_sample(event, 0.0)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-05-12T14:57:43Z", 1778597863.0),
        ("2026-05-12T14:57:43.5Z", 1778597863.5),
        ("2026-05-12T14:57:43.123456789Z", 1778597863.123457),
        ("2026-05-12T14:57:43+00:00", None),
        ("nonsense", None),
        (None, None),
        (5, None),
    ],
)
def test_times_are_seconds(stamp: object, expected: float | None) -> None:
    assert LogDecoder()({"data": "x", "timestamp": stamp}) == (expected, "x")


def test_half_a_surrogate_pair_can_be_stored() -> None:
    raw = LogDecoder()({"data": "a\ud800b"})
    assert raw is not None
    assert raw[1].encode() == b"a?b"


def test_cards_keep_their_order() -> None:
    card = {"memory_used_bytes": 1, "memory_total_bytes": 2}
    event = {"cpu_usage_pct": 3, "gpus": {"b": {"utilization": 20, **card}, "a": {"utilization": 10, **card}}}
    sample = hardware_sample(event, 5.0)
    assert sample is not None
    assert (sample.at, sample.cpu_percent, sample.gpu_percent) == (5.0, 3.0, (10.0, 20.0))
    assert hardware_sample({"cpu_usage_pct": "many"}, 5.0) is None
