"""Rows from the viewer, from `datasets` streaming, and from files – over real HTTP and real files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hub.stub import Answer, Asked, closed, silent, stub
from workbench.errors import DataError, GatedError, HubError, NotFoundError
from workbench.hub import catalog, rows, viewer
from workbench.hub.client import Hub
from workbench.hub.viewer import ViewerUnready
from workbench.settings import PUBLIC_ENDPOINT, PUBLIC_VIEWER, Settings

MESSAGES = "sample-lab/sums-in-words"
CONFIGS = "sample-lab/cafe-and-station-dialogues"
CSV = "sample-lab/animals-and-colours"
TOOLS = "sample-lab/small-tool-calls"
DIRTY = "sample-lab/support-dump-dirty"
GATED = "sample-lab/little-stories"


@pytest.fixture
def no_viewer(hub: Hub) -> Hub:
    return Hub(hub.settings.with_(viewer=""))


def test_splits_come_with_counts(hub: Hub) -> None:
    found = rows.splits(hub, MESSAGES)
    assert {(item.config, item.split): item.rows for item in found} == {
        ("default", "train"): 2000,
        ("default", "test"): 200,
    }


def test_splits_without_a_viewer(hub: Hub, no_viewer: Hub) -> None:
    for dataset in (MESSAGES, CONFIGS, CSV):
        by_viewer = {(item.config, item.split) for item in rows.splits(hub, dataset)}
        assert {(item.config, item.split) for item in rows.splits(no_viewer, dataset)} == by_viewer
    assert ("cafe", "train_sft") in {(item.config, item.split) for item in rows.splits(no_viewer, CONFIGS)}


@pytest.mark.parametrize(("dataset", "config"), [(MESSAGES, "default"), (CSV, "default"), (TOOLS, "default")])
def test_both_ways_give_the_same_rows(hub: Hub, no_viewer: Hub, dataset: str, config: str) -> None:
    one = rows.rows(hub, dataset, config, "train", offset=7, limit=12)
    other = rows.rows(no_viewer, dataset, config, "train", offset=7, limit=12)
    assert (one.source, other.source) == ("viewer", "stream")
    assert one.rows == other.rows
    assert one.columns == other.columns
    assert len(one.rows) == 12
    assert one.problem == other.problem == ""


def test_more_than_one_viewer_page(hub: Hub) -> None:
    page = rows.rows(hub, MESSAGES, "default", "train", limit=250)
    assert page.source == "viewer"
    assert len(page.rows) == 250
    assert page.total == 2000
    assert page.rows[120:130] == rows.rows(hub, MESSAGES, "default", "train", offset=120, limit=10).rows


def test_the_end_of_a_split(hub: Hub, no_viewer: Hub) -> None:
    for way in (hub, no_viewer):
        page = rows.rows(way, MESSAGES, "default", "test", offset=195, limit=50)
        assert len(page.rows) == 5
        assert page.total == 200
        assert rows.rows(way, MESSAGES, "default", "test", offset=1000, limit=5).rows == ()


def test_types_are_told(hub: Hub) -> None:
    assert rows.rows(hub, MESSAGES, "default", "train", limit=1).columns == {"messages": "list[{role,content}]"}
    assert rows.rows(hub, CONFIGS, "cafe", "train_sft", limit=1).columns == {
        "id": "string",
        "conversations": "list[{from,value}]",
    }
    thumbs = rows.rows(hub, "sample-lab/clock-thumbs-up-down", "default", "train", limit=1)
    assert thumbs.columns == {"prompt": "string", "completion": "string", "label": "bool"}


def test_a_broken_line_costs_only_itself(hub: Hub) -> None:
    page = rows.rows(hub, DIRTY, "default", "train", limit=350)
    assert page.source == "stream"
    assert len(page.rows) == 350
    assert "tickets.jsonl: line 207" in page.problem
    tickets = [row["ticket"] for row in page.rows]
    # A page beyond the broken line goes on where the one before it ended.
    following = rows.rows(hub, DIRTY, "default", "train", offset=300, limit=20)
    assert [row["ticket"] for row in following.rows] == tickets[300:320]


def test_a_broken_line_further_down_is_told_at_once(hub: Hub) -> None:
    page = rows.rows(hub, DIRTY, "default", "train", limit=10)
    assert len(page.rows) == 10
    assert "line 207" in page.problem


def test_gated(hub: Hub, no_viewer: Hub) -> None:
    for way in (hub, no_viewer):
        with pytest.raises(GatedError, match="gated"):
            rows.splits(way, GATED)
        with pytest.raises(GatedError):
            rows.rows(way, GATED, "default", "train")


def test_unknown_things_are_sentences(hub: Hub, no_viewer: Hub) -> None:
    for way in (hub, no_viewer):
        with pytest.raises(NotFoundError):
            rows.splits(way, "sample-lab/no-such-dataset")
        with pytest.raises(NotFoundError):
            rows.rows(way, "sample-lab/no-such-dataset", "default", "train")
        with pytest.raises(NotFoundError) as caught:
            rows.rows(way, MESSAGES, "default", "no_such_split")
        assert "no_such_split" in caught.value.sentence()
        with pytest.raises(NotFoundError):
            rows.rows(way, CONFIGS, "no_such_config", "train_sft")


def test_what_is_no_id(hub: Hub) -> None:
    with pytest.raises(NotFoundError):
        rows.rows(hub, "not an id", "default", "train")
    with pytest.raises(DataError):
        rows.rows(hub, MESSAGES, "default", "train", limit=0)


# --- a viewer that has no good answer


def unready(answer: Answer) -> Any:
    return lambda asked: answer


PAGE = {
    "features": [{"feature_idx": 0, "name": "text", "type": {"dtype": "string", "_type": "Value"}}],
    "rows": [{"row_idx": 0, "row": {"text": "hello"}, "truncated_cells": []}],
    "num_rows_total": 1,
    "num_rows_per_page": 100,
    "partial": False,
}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, {"error": "not ready"}, {"X-Error-Code": "ResponseNotReadyError"}),
        Answer(404, {"error": "no"}),
        Answer(501, {"error": "no"}),
        Answer(200, b"<html>"),
        Answer(200, []),
        Answer(200, {}),
        Answer(200, {**PAGE, "features": []}),
        Answer(200, {**PAGE, "rows": None}),
        Answer(200, {**PAGE, "rows": [{"row": {"text": "he"}, "truncated_cells": ["text"]}]}),
        Answer(200, {**PAGE, "num_rows_total": 900}),
        Answer(200, {**PAGE, "partial": True}),
    ],
)
def test_a_poor_answer_is_no_answer(hub: Hub, answer: Answer) -> None:
    with stub(unready(answer)) as poor:
        way = Hub(hub.settings.with_(viewer=poor.url))
        with pytest.raises(ViewerUnready):
            viewer.rows(way, MESSAGES, "default", "train", revision="main", offset=0, limit=5)
        page = rows.rows(way, MESSAGES, "default", "train", limit=5)
        assert page.source == "stream"
        assert len(page.rows) == 5
        assert poor.asked


@pytest.mark.parametrize(
    "body",
    [
        {"splits": [], "pending": [], "failed": []},
        {"splits": [{"config": "default", "split": "train"}], "pending": [{"config": "x"}], "failed": []},
        {"splits": [{"config": "default", "split": "train"}], "pending": [], "failed": [{"config": "x"}]},
    ],
)
def test_half_an_answer_on_splits_is_no_answer(hub: Hub, body: Any) -> None:
    with stub(unready(Answer(200, body))) as poor:
        found = rows.splits(Hub(hub.settings.with_(viewer=poor.url)), MESSAGES)
        assert {item.split for item in found} == {"train", "test"}


def test_a_viewer_that_is_down_or_silent_is_passed_over(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "TIMEOUT", 0.3)
    with silent() as url:
        for address in (url, closed()):
            page = rows.rows(Hub(hub.settings.with_(viewer=address)), MESSAGES, "default", "train", limit=3)
            assert page.source == "stream"


def test_a_partial_viewer_serves_what_it_has() -> None:
    with stub(unready(Answer(200, {**PAGE, "partial": True}))) as partial:
        page = viewer.rows(partial.hub(), "a/b", "default", "train", revision="main", offset=0, limit=1)
    assert page.rows == ({"text": "hello"},)
    assert page.total is None


def test_a_strange_viewer_never_gets_the_token() -> None:
    with stub(unready(Answer(200, PAGE))) as strange:
        elsewhere = Hub(Settings(endpoint=closed(), token="hf_secret", viewer=strange.url))
        viewer.rows(elsewhere, "a/b", "default", "train", revision="main", offset=0, limit=1)
        assert "authorization" not in strange.asked[0].headers
        viewer.rows(strange.hub(), "a/b", "default", "train", revision="main", offset=0, limit=1)
        assert strange.asked[1].headers["authorization"] == "Bearer hf_secret"
    public = Hub(Settings(endpoint=PUBLIC_ENDPOINT, token="hf_secret"))
    assert viewer._trusted(public, PUBLIC_VIEWER)
    assert not viewer._trusted(public, "https://example.org")


def test_other_revisions_do_not_come_from_the_viewer() -> None:
    with stub(unready(Answer(200, PAGE))) as known:
        with pytest.raises(ViewerUnready):
            viewer.rows(known.hub(), "a/b", "default", "train", revision="v2", offset=0, limit=1)
        assert known.asked == []


def test_a_fixed_revision_gives_the_same_rows(hub: Hub) -> None:
    sha = catalog.dataset_details(hub, MESSAGES).record.sha
    page = rows.rows(hub, MESSAGES, "default", "train", revision=sha, limit=4)
    assert page.source == "stream"
    assert page.rows == rows.rows(hub, MESSAGES, "default", "train", limit=4).rows


# --- a Hub that fails underneath


def test_a_hub_that_is_down_is_a_sentence() -> None:
    address = closed()
    hub = Hub(Settings(endpoint=address, token=None, viewer=address))
    with pytest.raises(HubError) as caught:
        rows.rows(hub, "a/b", "default", "train")
    assert "a/b" in caught.value.sentence()


def test_a_hub_that_fails_is_a_sentence() -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(500, {"error": "boom"})

    with stub(answer) as broken, pytest.raises(HubError) as caught:
        rows.splits(broken.hub(), "a/b")
    assert "hf_secret" not in caught.value.sentence()
