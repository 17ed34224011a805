"""Lists of the local Hub: search, filters, order, paging, expand – with the unmodified client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.local.conftest import raw

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from workbench.local.serve import LocalServer

CARD = "---\nlicense: {licence}\nlibrary_name: peft\npipeline_tag: text-generation\ntags: [zoo, t{n}]\n---\n"


@pytest.fixture(scope="module")
def zoo(server: LocalServer) -> Iterator[list[str]]:
    """Seven small model repos named demo/zoo-0 … demo/zoo-6, the last one made last."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.url, token=server.token)
    names = [f"demo/zoo-{at}" for at in range(7)]
    for at, name in enumerate(names):
        api.create_repo(name)
        card = CARD.format(licence="mit" if at % 2 else "apache-2.0", n=at)
        api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=name)
    yield names
    for name in names:
        api.delete_repo(name)


def test_search_author_and_filters(api: HfApi, zoo: list[str]) -> None:
    assert {one.id for one in api.list_models(search="ZOO-")} == set(zoo)
    assert [one.id for one in api.list_models(search="demo zoo-3")] == ["demo/zoo-3"]
    assert {one.id for one in api.list_models(author="demo", filter="zoo")} == set(zoo)
    assert {one.id for one in api.list_models(filter=["zoo", "license:mit"])} == {zoo[1], zoo[3], zoo[5]}
    assert {one.id for one in api.list_models(filter=["zoo", "peft"], pipeline_tag="text-generation")} == set(zoo)
    assert list(api.list_models(search="zoo", gated=True)) == []
    assert list(api.list_models(search="no-such-name-anywhere")) == []


def test_order(api: HfApi, zoo: list[str]) -> None:
    assert [one.id for one in api.list_models(search="zoo", sort="created_at")] == zoo[::-1]
    found = [one.downloads for one in api.list_models(sort="downloads")]
    assert found == sorted(found, reverse=True)


def test_pages_are_followed_and_limit_ends_them(api: HfApi, server: LocalServer, zoo: list[str]) -> None:
    seen: list[str] = []
    path = "/api/models?search=zoo&sort=createdAt&limit=3&filter=zoo"
    pages = 0
    while path:
        answer = raw(server, "GET", path)
        seen += [one["id"] for one in answer.json()]
        pages += 1
        path = answer.headers.get("link", "").partition(">")[0].removeprefix(f"<{server.url}")
    assert (seen, pages) == (zoo[::-1], 3)
    assert len(list(api.list_models(search="zoo", limit=5))) == 5


def test_a_change_between_two_pages_shows_nothing_twice(api: HfApi, server: LocalServer, zoo: list[str]) -> None:
    first = raw(server, "GET", "/api/models?search=zoo&sort=createdAt&limit=3")
    api.create_repo("demo/zoo-new")
    try:
        link = first.headers["link"].partition(">")[0].removeprefix(f"<{server.url}")
        rest = raw(server, "GET", link)
        assert [one["id"] for one in rest.json()] == ["demo/zoo-3", "demo/zoo-2", "demo/zoo-1"]
    finally:
        api.delete_repo("demo/zoo-new")


def test_expand_gives_only_what_was_named(server: LocalServer, zoo: list[str]) -> None:
    (one,) = raw(server, "GET", "/api/models?search=zoo-3&expand=downloads&expand=tags").json()
    assert set(one) == {"_id", "id", "modelId", "downloads", "tags"}
    one = raw(server, "GET", "/api/models/demo/zoo-3?expand=sha").json()
    assert set(one) == {"_id", "id", "modelId", "sha"}


def test_a_list_is_short_unless_full(api: HfApi, zoo: list[str]) -> None:
    (short,) = api.list_models(search="zoo-1")
    (full,) = api.list_models(search="zoo-1", full=True, cardData=True)
    assert short.siblings is None
    assert [one.rfilename for one in full.siblings] == ["README.md"]
    assert full.card_data.license == "mit"


def test_parameters_filter_the_sample_models(api: HfApi) -> None:
    everything = {one.id: one.safetensors.total for one in api.list_models(author="sample-lab", expand=["safetensors"])}
    assert everything
    middle = sorted(everything.values())[len(everything) // 2]
    found = {one.id for one in api.list_models(author="sample-lab", num_parameters=f"min:{middle / 1e6}M")}
    assert found == {name for name, total in everything.items() if total >= middle}
    assert list(api.list_models(num_parameters="min:6B,max:128B")) == []


def test_datasets_are_listed_by_their_tags(api: HfApi) -> None:
    everything = list(api.list_datasets())
    assert len(everything) >= 12
    english = {one.id for one in api.list_datasets(language="en")}
    assert english == {one.id for one in everything if "language:en" in one.tags}
    assert english


@pytest.mark.parametrize(
    "query",
    ["sort=size", "limit=x", "limit=0", "cursor=%21%21", "cursor=WzEsMl0", "num_parameters=6B", "cursor=W1tdLCJhIl0"],
)
def test_a_wrong_query_is_a_400(server: LocalServer, query: str) -> None:
    answer = raw(server, "GET", f"/api/models?{query}")
    assert answer.status == 400
    assert answer.json()["error"]
