"""The app on the local Hub, driven by Textual's Pilot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from textual.pilot import Pilot

from screens.app import WorkbenchApp
from workbench.local.serve import LocalServer
from workbench.settings import Settings

Until = Callable[[Callable[[], object], str], Awaitable[None]]


@pytest.fixture(scope="session", autouse=True)
def only_samples(server: LocalServer) -> None:
    """What other tests pushed must not show up in lists and pictures."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.url, token=server.token)
    for model in api.list_models(author="demo"):
        api.delete_repo(model.id)
    for dataset in api.list_datasets(author="demo"):
        api.delete_repo(dataset.id, repo_type="dataset")


@pytest.fixture
def app(settings: Settings) -> WorkbenchApp:
    return WorkbenchApp(settings)


async def until(pilot: Pilot[None], condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Let the app work until `condition` holds.

    Raises:
        AssertionError: it did not come to hold; names `what` was waited for.
    """
    for _ in range(int(seconds / 0.05)):
        try:
            if condition():
                return
        except Exception as error:  # a widget that is not there yet
            last: Exception | None = error
        else:
            last = None
        await pilot.pause(0.05)
    raise AssertionError(f"never came: {what} ({last!r})")


@pytest.fixture
async def pilot(app: WorkbenchApp) -> AsyncIterator[Pilot[None]]:
    """The app at 120×40 with its first page of models there."""
    async with app.run_test(size=(120, 40)) as running:
        yield running
