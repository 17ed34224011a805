"""Looking into a dataset: its configs and splits, and some of its rows – from wherever they can be had.

Three ways, tried in this order, and `RowsPage.source` says which it was: the dataset viewer ("viewer"), the
`datasets` library streaming the repo's files ("stream"), or a file on this machine ("file", for local paths).
Nothing is downloaded whole, and memory is bounded by the page.
"""

from __future__ import annotations

from workbench.errors import DataError
from workbench.hub import local_files, stream, viewer
from workbench.hub.client import Hub
from workbench.hub.files import checked_id
from workbench.hub.records import RowsPage, Split

__all__ = ["is_local", "rows", "splits"]


def splits(hub: Hub, dataset_id: str, *, revision: str = "main") -> list[Split]:
    """Configs and splits of a dataset id or local path; row counts where they are known.

    Raises:
        NotFoundError, GatedError, HubError
        DataError: there is nothing in it that can be read.
    """
    if (path := local_files.local_path(dataset_id)) is not None:
        return local_files.splits(path)
    checked_id(dataset_id)
    try:
        return viewer.splits(hub, dataset_id, revision)
    except viewer.ViewerUnready:
        return stream.splits(hub, dataset_id, revision)


def rows(
    hub: Hub,
    dataset_id: str,
    config: str,
    split: str,
    *,
    revision: str = "main",
    offset: int = 0,
    limit: int = 100,
) -> RowsPage:
    """Rows [offset, offset + limit) of one split. Broken rows are told in `problem`; the good ones are there.

    Raises:
        NotFoundError: no such dataset, config or split. GatedError, HubError
        DataError: none of the rows can be read.
    """
    if offset < 0 or limit < 1:
        raise DataError(f"offset {offset} and limit {limit} ask for no rows", where=dataset_id)
    if (path := local_files.local_path(dataset_id)) is not None:
        return local_files.rows(path, split, offset=offset, limit=limit)
    checked_id(dataset_id)
    try:
        return viewer.rows(hub, dataset_id, config, split, revision=revision, offset=offset, limit=limit)
    except viewer.ViewerUnready:
        return stream.rows(hub, dataset_id, config, split, revision=revision, offset=offset, limit=limit)


def is_local(dataset_id: str) -> bool:
    """Whether this is a path on this machine rather than a Hub id."""
    try:
        return local_files.local_path(dataset_id) is not None
    except DataError:
        return False
    except Exception:
        return True  # it reads as a path, and nothing is there
