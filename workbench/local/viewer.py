"""The dataset viewer's routes (hub-contract §8), for the datasets of this Hub.

`datasets` itself reads the files, from a folder of links into the store, so configs, splits and features are what
`load_dataset` would give. What is not computed here (search, filter, statistics) is said in `/is-valid`; those
routes answer 501.
"""

from __future__ import annotations

import base64
import json
import math
import os
import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workbench.local import access
from workbench.local.files import private_folder
from workbench.local.store import Commit, RepoId, RepoStore, StoreError, repo_id
from workbench.local.wire import Refusal, number

FIRST_ROWS = 100
MAX_LENGTH = 100
ROW_BUDGET = 1_000_000  # bytes of `first-rows`, as on the Hub
_KEPT = 16  # datasets whose splits are kept open


class Viewer:
    """Reads datasets of the store; one at a time, because `datasets` writes to a shared cache."""

    def __init__(self, store: RepoStore, folder: Path) -> None:
        self._store = store
        self._folder = private_folder(folder)
        self._lock = threading.Lock()
        self._warmed = threading.Event()
        self._configs: dict[tuple[RepoId, str], list[str]] = {}
        self._loaded: dict[tuple[RepoId, str, str], Any] = {}

    def warm(self) -> None:
        """Import `datasets` beside everything else (it takes seconds). Called when somebody lists datasets."""
        if not self._warmed.is_set():
            self._warmed.set()
            threading.Thread(target=_datasets, daemon=True).start()

    def configs(self, repo: RepoId, commit: Commit) -> list[str]:
        """The config names. Raises: Refusal 500 as the viewer does when the files cannot be told apart."""
        with self._lock:
            key = (repo, commit.sha)
            if key not in self._configs:
                datasets = _datasets()
                try:
                    self._configs[key] = list(datasets.get_dataset_config_names(str(self._checkout(repo, commit))))
                except Exception as error:  # whatever `datasets` raises is this dataset's fault
                    raise _broken("ConfigNamesError", "Cannot get the config names for the dataset.", error) from error
            return self._configs[key]

    def splits(self, repo: RepoId, commit: Commit, config: str) -> list[str]:
        with self._lock:
            datasets = _datasets()
            try:
                return list(datasets.get_dataset_split_names(str(self._checkout(repo, commit)), config))
            except Exception as error:
                raise _broken("SplitsNamesError", f"Cannot get the split names of {config}.", error) from error

    def load(self, repo: RepoId, commit: Commit, config: str) -> Any:
        """The `DatasetDict` of a config. Raises: Refusal 500 for files that cannot be read."""
        with self._lock:
            key = (repo, commit.sha, config)
            if key not in self._loaded:
                datasets = _datasets()
                place = self._checkout(repo, commit)
                try:
                    found = datasets.load_dataset(str(place), config, cache_dir=str(self._folder / "cache"))
                except Exception as error:
                    message = "The dataset generation failed because of an error in its files."
                    raise _broken("DatasetGenerationError", message, error) from error
                while len(self._loaded) >= _KEPT:
                    self._loaded.pop(next(iter(self._loaded)))
                self._loaded[key] = found
            return self._loaded[key]

    def _checkout(self, repo: RepoId, commit: Commit) -> Path:
        """The files of a commit as a folder of links; its name is the repo's, since `datasets` names things by it."""
        place = self._folder / "files" / commit.sha / repo.name
        if not place.exists():
            beside = place.with_name(f".{place.name}.part")
            for path, entry in commit.files.items():
                target = beside / path
                private_folder(target.parent)
                target.unlink(missing_ok=True)
                blob = self._store.blob_path(entry.sha256)
                try:
                    os.link(blob, target)
                except OSError:  # a file system without hard links
                    target.symlink_to(blob)
            private_folder(beside)
            beside.rename(place)
        return place


def _datasets() -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets


def _broken(code: str, message: str, cause: Exception) -> Refusal:
    origin = cause.__cause__ or cause
    said = " ".join(str(origin).split())[:500]
    body = {"cause_exception": type(origin).__name__, "cause_message": said}
    return Refusal(500, message, code, body=body)


def _viewer(request: Request) -> Viewer:
    viewer: Viewer = request.app.state.viewer
    return viewer


def _dataset(request: Request) -> tuple[RepoId, Commit]:
    name = request.query_params.get("dataset")
    if not name:
        raise Refusal(422, "Parameter 'dataset' is required", "MissingRequiredParameter")
    message = (
        "The dataset does not exist, or is not accessible with the current credentials (private or gated). "
        "Please check the spelling of the dataset name or retry with different authentication credentials."
    )
    owner, _, short = name.partition("/")
    try:
        repo = access.visible(request, repo_id("dataset", owner, short))
    except (StoreError, Refusal) as error:
        raise Refusal(404, message, "ExternalAuthenticatedError") from error
    if not access.may_read(request, repo):
        raise Refusal(404, message, "ExternalAuthenticatedError")
    return repo, access.store_of(request).resolve(repo, "main")


def _config(request: Request, repo: RepoId, commit: Commit, *, required: bool) -> list[str]:
    asked = request.query_params.get("config")
    if asked is None:
        if required:
            raise Refusal(422, "Parameters 'config' and 'split' are required", "MissingRequiredParameter")
        return _viewer(request).configs(repo, commit)
    if asked not in _viewer(request).configs(repo, commit):
        raise Refusal(404, f"The config {asked[:200]!r} does not exist.", "ConfigNotFoundError")
    return [asked]


def _split(request: Request) -> tuple[str, str, str, Any]:
    """(dataset, config, split, the loaded split)."""
    repo, commit = _dataset(request)
    (config,) = _config(request, repo, commit, required=True)
    split = request.query_params.get("split")
    if not split:
        raise Refusal(422, "Parameters 'config' and 'split' are required", "MissingRequiredParameter")
    found = _viewer(request).load(repo, commit, config)
    if split not in found:
        raise Refusal(404, f"The split {split[:200]!r} does not exist.", "SplitNotFoundError")
    return str(repo), config, split, found[split]


def is_valid(request: Request) -> Response:
    repo, commit = _dataset(request)
    viewer = _viewer(request)
    try:
        configs = viewer.configs(repo, commit)
        for config in configs[:4]:
            viewer.load(repo, commit, config)
        viewable = True
    except Refusal:
        viewable = False
    return _json({"preview": viewable, "viewer": viewable, "search": False, "filter": False, "statistics": False})


def splits(request: Request) -> Response:
    repo, commit = _dataset(request)
    listed = [
        {"dataset": str(repo), "config": config, "split": split}
        for config in _config(request, repo, commit, required=False)
        for split in _viewer(request).splits(repo, commit, config)
    ]
    return _json({"splits": listed, "pending": [], "failed": []})


def info(request: Request) -> Response:
    repo, commit = _dataset(request)
    configs = _config(request, repo, commit, required=False)
    shown = {config: _info(repo, config, _viewer(request).load(repo, commit, config)) for config in configs}
    one = "config" in request.query_params
    dataset_info = shown[configs[0]] if one else shown
    return _json({"dataset_info": dataset_info, "partial": False, **({} if one else {"pending": [], "failed": []})})


def _info(repo: RepoId, config: str, found: Any) -> dict[str, Any]:
    first = next(iter(found.values()))
    return {
        "features": first.features.to_dict(),
        "builder_name": first.info.builder_name,
        "dataset_name": repo.name,
        "config_name": config,
        "splits": {
            name: {"name": name, "num_bytes": split.data.nbytes, "num_examples": split.num_rows, "dataset_name": None}
            for name, split in found.items()
        },
        "download_size": first.info.download_size,
        "dataset_size": sum(split.data.nbytes for split in found.values()),
    }


def size(request: Request) -> Response:
    repo, commit = _dataset(request)
    rows: list[dict[str, Any]] = []
    for config in _config(request, repo, commit, required=False):
        for name, split in _viewer(request).load(repo, commit, config).items():
            rows.append(
                {
                    "dataset": str(repo),
                    "config": config,
                    "split": name,
                    "num_bytes_parquet_files": 0,
                    "num_bytes_memory": split.data.nbytes,
                    "num_rows": split.num_rows,
                    "num_columns": len(split.column_names),
                }
            )
    files = sum(entry.size for path, entry in commit.files.items() if path != "README.md")
    configs = [
        _summed([row for row in rows if row["config"] == config], ("dataset", "config"))
        for config in dict.fromkeys(row["config"] for row in rows)
    ]
    whole = {**_summed(rows, ("dataset",)), "num_bytes_original_files": files}
    return _json(
        {
            "size": {"dataset": whole, "configs": configs, "splits": rows},
            "pending": [],
            "failed": [],
            "partial": False,
        }
    )


def _summed(rows: list[dict[str, Any]], keys: tuple[str, ...]) -> dict[str, Any]:
    total = {key: rows[0][key] for key in keys} if rows else {}
    for key in ("num_bytes_parquet_files", "num_bytes_memory", "num_rows"):
        total[key] = sum(row[key] for row in rows)
    total["num_columns"] = max((row["num_columns"] for row in rows), default=0)
    return total


def first_rows(request: Request) -> Response:
    dataset, config, split, found = _split(request)
    shown: list[dict[str, Any]] = []
    used = 0
    for index in range(min(FIRST_ROWS, found.num_rows)):
        row = {"row_idx": index, "row": found[index], "truncated_cells": []}
        used += len(_dumps(row))
        if shown and used > ROW_BUDGET:
            break
        shown.append(row)
    return _json(
        {
            "dataset": dataset,
            "config": config,
            "split": split,
            "features": _features(found),
            "rows": shown,
            "truncated": len(shown) < found.num_rows,
        }
    )


def rows(request: Request) -> Response:
    offset = _count(request, "offset", 0)
    length = _count(request, "length", MAX_LENGTH)
    if length > MAX_LENGTH:
        raise Refusal(422, f"Parameter 'length' must not be greater than {MAX_LENGTH}", "InvalidParameter")
    _dataset_name, _config_name, _split_name, found = _split(request)
    last = min(offset + length, found.num_rows)
    return _json(
        {
            "features": _features(found),
            "rows": [{"row_idx": at, "row": found[at], "truncated_cells": []} for at in range(offset, last)],
            "num_rows_total": found.num_rows,
            "num_rows_per_page": MAX_LENGTH,
            "partial": False,
        }
    )


def _count(request: Request, name: str, default: int) -> int:
    try:
        return number(request, name, default) or 0
    except Refusal as error:
        raise Refusal(422, f"Parameter '{name}' must be a non-negative integer", "InvalidParameter") from error


def _features(found: Any) -> list[dict[str, Any]]:
    features = found.features.to_dict()
    return [{"feature_idx": at, "name": name, "type": features[name]} for at, name in enumerate(features)]


def parquet(request: Request) -> Response:
    """No Parquet copies are made here; the files themselves are small."""
    _dataset(request)
    return _json({"parquet_files": [], "pending": [], "failed": [], "partial": False})


def not_computed(request: Request) -> Response:
    _dataset(request)
    raise Refusal(501, f"{request.scope['path']} is not computed by this server.", "NotImplementedError")


def _json(value: Any) -> Response:
    return Response(_dumps(value), media_type="application/json")


def _dumps(value: Any) -> bytes:
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except ValueError:  # NaN and infinities, which JSON does not have
        return json.dumps(_finite(value), default=_plain, ensure_ascii=False).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


_PATHS: dict[str, Callable[[Request], Response]] = {
    "/is-valid": is_valid,
    "/splits": splits,
    "/info": info,
    "/first-rows": first_rows,
    "/rows": rows,
    "/size": size,
    "/parquet": parquet,
    "/search": not_computed,
    "/filter": not_computed,
    "/statistics": not_computed,
}
ROUTES = [Route(path, endpoint) for path, endpoint in _PATHS.items()]
