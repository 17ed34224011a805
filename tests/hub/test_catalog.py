"""The catalog over real HTTP: against the sample Hub, and against Hubs that misbehave."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.hub.stub import Answer, Asked, closed, silent, stub
from workbench.errors import HubError, NotFoundError
from workbench.hub import catalog, parse
from workbench.hub.catalog import DatasetQuery, ModelQuery
from workbench.hub.client import Hub
from workbench.settings import Settings


def every_model(hub: Hub, query: ModelQuery, limit: int = 50) -> list[Any]:
    found, cursor = [], None
    while True:
        page = catalog.models(hub, query, cursor=cursor, limit=limit)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def every_dataset(hub: Hub, query: DatasetQuery, limit: int = 50) -> list[Any]:
    found, cursor = [], None
    while True:
        page = catalog.datasets(hub, query, cursor=cursor, limit=limit)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


# --- the sample Hub


def test_models_say_what_a_list_needs(hub: Hub) -> None:
    found = every_model(hub, ModelQuery())
    assert len(found) == 3
    for model in found:
        assert model.author == model.id.split("/")[0]
        assert model.parameters and sum(model.dtypes.values()) == model.parameters
        assert model.updated is not None and model.updated.tzinfo is not None
        assert model.licence and model.task == "text-generation" and len(model.sha) == 40
    assert sorted(model.gated != "no" for model in found) == [False, False, True]


def test_paging_visits_everything_once_in_order(hub: Hub) -> None:
    whole = every_dataset(hub, DatasetQuery(sort="downloads"))
    paged = every_dataset(hub, DatasetQuery(sort="downloads"), limit=5)
    assert [item.id for item in paged] == [item.id for item in whole]
    assert len({item.id for item in paged}) == len(paged) >= 12


def test_a_page_is_no_longer_than_asked_for(hub: Hub) -> None:
    page = catalog.datasets(hub, DatasetQuery(), limit=4)
    assert len(page.items) == 4
    assert page.next is not None
    following = catalog.datasets(hub, DatasetQuery(), cursor=page.next, limit=4)
    assert not {item.id for item in page.items} & {item.id for item in following.items}


@pytest.mark.parametrize(
    ("sort", "key"),
    [("downloads", "downloads"), ("likes", "likes"), ("lastModified", "updated")],
)
def test_sorting(hub: Hub, sort: Any, key: str) -> None:
    values = [getattr(item, key) for item in every_dataset(hub, DatasetQuery(sort=sort), limit=5)]
    assert values == sorted(values, reverse=True)


def test_searching(hub: Hub) -> None:
    everything = every_dataset(hub, DatasetQuery())
    wanted = everything[-1].id.split("/")[1]
    assert [item.id.split("/")[1] for item in every_dataset(hub, DatasetQuery(text=wanted))] == [wanted]
    assert every_dataset(hub, DatasetQuery(text="no such dataset anywhere")) == []
    assert every_model(hub, ModelQuery(text="qwen"))[0].id.endswith("qwen3-2M")


def test_filters(hub: Hub) -> None:
    models = every_model(hub, ModelQuery())
    gated = [model.id for model in models if model.gated != "no"]
    assert [model.id for model in every_model(hub, ModelQuery(gated=True))] == gated
    assert {model.id for model in every_model(hub, ModelQuery(gated=False))} == {m.id for m in models} - set(gated)
    assert every_model(hub, ModelQuery(author="nobody")) == []
    licence = models[0].licence
    assert {m.id for m in every_model(hub, ModelQuery(licence=licence))} == {
        m.id for m in models if m.licence == licence
    }
    sizes = sorted(model.parameters for model in models)
    below = every_model(hub, ModelQuery(max_params=sizes[1]))
    above = every_model(hub, ModelQuery(min_params=sizes[1] + 1000))
    assert {model.parameters for model in below} >= {sizes[0]}
    assert all(model.parameters > sizes[0] for model in above)
    assert every_model(hub, ModelQuery(min_params=10**9)) == []


def test_dataset_filters(hub: Hub) -> None:
    everything = every_dataset(hub, DatasetQuery())
    task = "question-answering"
    assert {d.id for d in every_dataset(hub, DatasetQuery(task=task))} == {d.id for d in everything if task in d.tasks}
    size = everything[0].size_category
    assert size
    assert {d.id for d in every_dataset(hub, DatasetQuery(size=size))} == {
        d.id for d in everything if d.size_category == size
    }


def test_details_of_a_model(hub: Hub) -> None:
    model = next(model for model in every_model(hub, ModelQuery()) if model.gated == "no")
    details = catalog.model_details(hub, model.id)
    assert details.record.id == model.id
    assert details.config["hidden_size"] > 0
    assert details.chat_template
    assert details.card.strip()
    sizes = {file.path: file.size for file in details.files}
    assert sizes["model.safetensors"] > model.parameters  # bytes, not a pointer's


def test_details_of_a_gated_model_without_access(hub: Hub) -> None:
    model = every_model(hub, ModelQuery(gated=True))[0]
    details = catalog.model_details(hub, model.id)
    assert details.record.gated != "no"
    assert details.config.get("model_type")
    assert details.files


def test_details_of_a_dataset(hub: Hub) -> None:
    dataset = every_dataset(hub, DatasetQuery(gated=False))[0]
    details = catalog.dataset_details(hub, dataset.id)
    assert details.record == dataset or details.record.id == dataset.id
    assert details.card.strip()
    assert all(file.size > 0 for file in details.files if file.path.endswith((".parquet", ".jsonl", ".csv")))


@pytest.mark.parametrize("opened", [catalog.model_details, catalog.dataset_details])
@pytest.mark.parametrize("name", ["sample-lab/not-there", "nobody/nothing"])
def test_an_unknown_repo_is_a_sentence(hub: Hub, opened: Any, name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        opened(hub, name)
    assert name in caught.value.sentence()
    assert "/api/" not in caught.value.sentence()


@pytest.mark.parametrize("name", ["", "a b/c", "x/../../secrets", "a/b/c", "-/-", "a" * 200])
def test_what_is_no_id_never_becomes_an_address(name: str) -> None:
    with stub(lambda asked: Answer(body={"id": "x"})) as hub:
        with pytest.raises(NotFoundError):
            catalog.model_details(hub.hub(), name)
        assert hub.asked == []


def test_an_unknown_revision(hub: Hub) -> None:
    model = every_model(hub, ModelQuery())[0]
    with pytest.raises(NotFoundError):
        catalog.model_details(hub, model.id, revision="no-such-branch")


# --- what is asked


def test_the_query_as_the_hub_takes_it() -> None:
    with stub(lambda asked: Answer(body=[])) as hub:
        query = ModelQuery(
            text="  two   words ",
            author="acme",
            task="text-generation",
            library="transformers",
            licence="mit",
            gated=False,
            min_params=500_000_000,
            max_params=1_500_000_000,
            apps=("vllm",),
            trained_on="a/b",
            sort="likes",
        )
        assert catalog.models(hub.hub(), query, limit=7).items == ()
        asked = hub.asked[0].query
    assert asked["search"] == ["two words"]
    assert asked["author"] == ["acme"]
    assert asked["pipeline_tag"] == ["text-generation"]
    assert asked["filter"] == ["transformers", "license:mit", "dataset:a/b"]
    assert asked["gated"] == ["false"]
    assert asked["num_parameters"] == ["min:500M,max:1.5B"]
    assert asked["apps"] == ["vllm"]
    assert asked["sort"] == ["likes"]
    assert asked["limit"] == ["7"]
    assert "safetensors" in asked["expand"]


def test_the_dataset_query_as_the_hub_takes_it() -> None:
    with stub(lambda asked: Answer(body=[])) as hub:
        query = DatasetQuery(task="text-generation", language="en", size="1K<n<10K", licence="mit", gated=True)
        catalog.datasets(hub.hub(), query)
        asked = hub.asked[0].query
    assert asked["filter"] == [
        "task_categories:text-generation",
        "language:en",
        "size_categories:1K<n<10K",
        "license:mit",
    ]
    assert asked["gated"] == ["true"]
    assert "search" not in asked


# --- Hubs that misbehave


def test_a_link_to_another_host_never_gets_the_token() -> None:
    with stub(lambda asked: Answer(body=[{"id": "evil/one"}])) as other:

        def answer(asked: Asked) -> Answer:
            if "cursor" in asked.query:
                return Answer(body=[{"id": "good/two"}])
            return Answer(body=[{"id": "good/one"}], headers={"Link": f'<{other.url}/api/models?cursor=x>; rel="next"'})

        with stub(answer) as hub:
            page = catalog.models(hub.hub(), ModelQuery())
            following = catalog.models(hub.hub(), ModelQuery(), cursor=page.next)
            assert [item.id for item in following.items] == ["good/two"]
        with stub(answer) as hub, pytest.raises(HubError):
            catalog.models(hub.hub(), ModelQuery(), cursor=f"{other.url}/api/models?cursor=x")
        assert other.asked == []


def test_a_page_that_leads_to_itself_ends() -> None:
    with stub(
        lambda asked: Answer(body=[{"id": "a/b"}], headers={"Link": '</api/models?cursor=1>; rel="next"'})
    ) as hub:
        first = catalog.models(hub.hub(), ModelQuery())
        second = catalog.models(hub.hub(), ModelQuery(), cursor=first.next)
        assert first.next is not None
        assert second.next is None


def test_odd_fields_never_empty_a_page() -> None:
    odd: list[Any] = [
        {"id": "a/full", "gated": "auto", "downloads": 5, "lastModified": "2026-01-02T03:04:05.123456789Z"},
        {"id": "a/strange", "gated": {"x": 1}, "downloads": "many", "likes": None, "lastModified": 17, "tags": "one"},
        {"id": "a/tensors", "safetensors": {"parameters": {"BF16": 10, "F32": "x"}}, "gated": True},
        {"id": "a/none", "safetensors": None, "tags": [None, "license:mit", 3], "lastModified": "yesterday"},
        {"modelId": "a/old"},
        {"no": "id"},
        "nonsense",
        None,
    ]
    with stub(lambda asked: Answer(body=odd)) as hub:
        found = catalog.models(hub.hub(), ModelQuery()).items
        datasets = catalog.datasets(hub.hub(), DatasetQuery()).items
    assert [item.id for item in found] == ["a/full", "a/strange", "a/tensors", "a/none", "a/old"]
    full, strange, tensors, none, _ = found
    assert full.gated == "auto"
    assert full.updated == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert (strange.gated, strange.downloads, strange.likes, strange.updated) == ("no", 0, 0, None)
    assert (tensors.parameters, tensors.gated) == (10, "manual")
    assert (none.parameters, none.licence, none.updated) == (None, "mit", None)
    assert len(datasets) >= 4


@pytest.mark.parametrize("body", [{"error": "what"}, "text", 7, None, b"<html>proxy</html>"])
def test_an_answer_that_is_no_list_is_a_sentence(body: Any) -> None:
    with stub(lambda asked: Answer(body=body)) as hub, pytest.raises(HubError) as caught:
        catalog.models(hub.hub(), ModelQuery())
    assert "HF_ENDPOINT" in caught.value.sentence()


@pytest.mark.parametrize(
    ("status", "word"), [(500, "failed (500)"), (503, "failed (503)"), (429, "slow down"), (401, "hf auth login")]
)
def test_a_refusal_is_a_sentence(status: int, word: str) -> None:
    with stub(lambda asked: Answer(status, {"error": "secret details"})) as hub, pytest.raises(HubError) as caught:
        catalog.datasets(hub.hub(), DatasetQuery())
    assert word in caught.value.sentence()
    assert caught.value.status == status
    assert "hf_secret" not in caught.value.sentence()


def test_a_server_that_is_down_is_a_sentence() -> None:
    hub = Hub(Settings(endpoint=closed(), token=None))
    with pytest.raises(HubError, match="cannot be reached"):
        catalog.models(hub, ModelQuery())


def test_a_silent_server_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.utils import close_session

    from workbench.hub import client

    with silent() as url:
        hub = Hub(Settings(endpoint=url, token=None))
        _ = hub.api
        monkeypatch.setattr(client, "READ_TIMEOUT", 0.3)
        close_session()  # the next session is made with the shorter time-out
        try:
            with pytest.raises(HubError, match="did not answer"):
                catalog.models(hub, ModelQuery())
            with pytest.raises(HubError, match="did not answer"):
                catalog.model_details(hub, "a/b")
        finally:
            close_session()


# --- parsing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T01:02:03Z", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-22T01:02:03.5Z", datetime(2026, 11, 22, 1, 2, 3, 500000, tzinfo=UTC)),
        ("2026-11-22T03:02:03+02:00", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("0000-99-99T99:99:99Z", None),
        ("", None),
        (None, None),
        (12, None),
    ],
)
def test_times(text: Any, expected: datetime | None) -> None:
    assert parse.moment(text) == expected


def test_sizes_of_large_files_are_the_files_own() -> None:
    item = {
        "siblings": [
            {"rfilename": "a.bin", "size": 134, "lfs": {"size": 5_000_000, "sha256": "x"}},
            {"rfilename": "b.txt", "size": 12},
            {"rfilename": "c.txt"},
            {"size": 3},
            "x",
        ]
    }
    assert [(file.path, file.size) for file in parse.files(item)] == [("a.bin", 5_000_000), ("b.txt", 12), ("c.txt", 0)]
