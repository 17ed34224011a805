"""Rows by way of the `datasets` library, streamed: for datasets without a viewer. Nothing is downloaded whole.

Where the library's own reader gives up at a damaged JSON or CSV line, the same file is read again by range through
`tolerant.py`, so one broken line does not hide the rest.
"""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import quote

from workbench.errors import DataError, HubError, NotFoundError, WorkbenchError
from workbench.hub import tolerant, types
from workbench.hub.client import Hub, as_hub_error
from workbench.hub.files import checked_id, chunks, file_path, lines
from workbench.hub.records import RowsPage, Split

# Bytes of one damaged file that are read in search of the asked rows.
MOST_BYTES = 64_000_000
# Configs whose splits are looked up without a viewer: each costs some requests.
MOST_CONFIGS = 50


def splits(hub: Hub, dataset: str, revision: str) -> list[Split]:
    """Configs and splits as the library finds them in the repo.

    Raises:
        NotFoundError, GatedError, HubError
        DataError: a script dataset, or a repo without data files.
    """
    _reach(hub, dataset, revision)
    datasets = _prepared(hub)
    token = hub.settings.token or False
    try:
        configs = datasets.get_dataset_config_names(dataset, revision=revision, token=token)
        found: list[Split] = []
        for config in configs[:MOST_CONFIGS]:
            builder = datasets.load_dataset_builder(dataset, config, revision=revision, token=token)
            known = builder.info.splits or {}
            names = list(builder.config.data_files or known)
            if not names:
                names = datasets.get_dataset_split_names(dataset, config, revision=revision, token=token)
            counts = {name: getattr(known.get(name), "num_examples", None) or None for name in names}
            found += [Split(config, str(name), counts[name]) for name in names]
    except Exception as error:
        raise _told(error, dataset) from error
    return found


def rows(hub: Hub, dataset: str, config: str, split: str, *, revision: str, offset: int, limit: int) -> RowsPage:
    """Rows [offset, offset + limit). Errors as in `splits`; a missing config or split is a NotFoundError."""
    _reach(hub, dataset, revision)
    datasets = _prepared(hub)
    token = hub.settings.token or False
    try:
        builder = datasets.load_dataset_builder(dataset, config or None, revision=revision, token=token)
    except Exception as error:
        raise _told(error, dataset) from error
    files = [str(file) for file in (builder.config.data_files or {}).get(split, [])]
    names = list(builder.config.data_files or builder.info.splits or {})
    if names and split not in names:
        raise NotFoundError(f"there is no split {split!r}", where=dataset, mend=f"It has {', '.join(map(str, names))}.")
    known = (builder.info.splits or {}).get(split)
    total = getattr(known, "num_examples", None) or None
    try:
        found, columns = _streamed(builder, split, offset, limit)
    except Exception as error:
        told = _told(error, dataset)
        if isinstance(told, HubError) or not files:
            raise told from error
        return _tolerant(hub, dataset, config, split, files, offset, limit, told, error)
    if len(found) < limit and total is None and (found or offset == 0):
        total = offset + len(found)
    return RowsPage(config, split, columns, tuple(found), total, "stream")


def _streamed(builder: Any, split: str, offset: int, limit: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    stream = builder.as_streaming_dataset(split=split)
    stream = _undecoded(stream)
    features = stream.features
    if offset:
        stream = stream.skip(offset)
    found = [types.plain(row) for row in stream.take(limit)]
    return found, types.of_features(features) or types.of_values(found)


def _undecoded(stream: Any) -> Any:
    """Pictures, sound and pages stay as bytes and paths: no extra packages, less memory. (JSON is decoded.)"""
    from copy import copy

    for name, feature in (stream.features or {}).items():
        inner = feature
        while hasattr(inner, "feature"):
            inner = inner.feature
        if hasattr(inner, "decode") and type(inner).__name__ in ("Image", "Audio", "Video", "Pdf", "Nifti", "Mesh"):
            flat = copy(inner)
            flat.decode = False
            holder = flat if inner is feature else type(feature)(flat)
            stream = stream.cast_column(name, holder)
    return stream


def _tolerant(
    hub: Hub,
    dataset: str,
    config: str,
    split: str,
    files: list[str],
    offset: int,
    limit: int,
    told: WorkbenchError,
    cause: Exception,
) -> RowsPage:
    """The same rows, read line by line from the raw files."""
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    passed = 0
    for file in files:
        place = _in_repo(file, dataset)
        if place is None:
            raise told from cause
        revision, path = place
        got, problem, good = _tolerant_file(hub, dataset, revision, path, max(offset - passed, 0), limit - len(found))
        passed += min(good, offset)
        found += got
        if problem:
            problems.append(problem)
        if len(found) >= limit:
            break
    if not found and offset == 0:
        raise told from cause
    plain = tuple(types.plain(row) for row in found)
    return RowsPage(config, split, types.of_values(plain), plain, None, "stream", " ".join(problems))


def _tolerant_file(
    hub: Hub, dataset: str, revision: str, path: str, offset: int, limit: int
) -> tuple[list[dict[str, Any]], str, int]:
    """(rows, problem, good rows read) of one raw file, at most MOST_BYTES of it."""
    suffix = posixpath.splitext(path)[1].lower()
    if suffix not in (".jsonl", ".ndjson", ".json", ".csv", ".tsv"):
        raise DataError("cannot be read", where=f"{dataset}, {path}")
    taken = 0

    def counted() -> Any:
        nonlocal taken
        for piece in chunks(hub, file_path("dataset", dataset, revision, path), limit=MOST_BYTES):
            taken += len(piece)
            yield piece

    read = lines(counted(), longest=tolerant.LONGEST_LINE)
    csv = suffix in (".csv", ".tsv")
    good = 0

    def items() -> Any:
        nonlocal good
        source = tolerant.csv_rows(read, delimiter="\t" if suffix == ".tsv" else "") if csv else _json(read)
        for item in source:
            good += not isinstance(item, tolerant.Broken)
            yield item

    got, problem, ended = tolerant.take(items(), offset, limit, where=path)
    if ended and taken >= MOST_BYTES:
        problem = f"{problem} {path}: only the first {MOST_BYTES // 1_000_000} MB were read.".strip()
    return (tolerant.typed(got) if csv else got), problem, good


def _json(read: Any) -> Any:
    """JSON lines – or one document, if the first line is not a whole object."""
    import itertools

    first = next(read, None)
    if first is None:
        return
    if first[1] is not None and first[1].lstrip().startswith("["):
        text = "\n".join(line or "" for _, line in itertools.chain([first], read))
        yield from tolerant.json_array(text)
        return
    yield from tolerant.json_lines(itertools.chain([first], read))


def _in_repo(url: str, dataset: str) -> tuple[str, str] | None:
    """(revision, path) of hf://datasets/owner/name@revision/path, None if it is a file elsewhere."""
    start = f"hf://datasets/{dataset}@"
    if not url.startswith(start):
        return None
    revision, _, path = url[len(start) :].partition("/")
    return (revision, path) if revision and path else None


def _reach(hub: Hub, dataset: str, revision: str) -> None:
    """One plain request first: a Hub that is down, or a repo that is not there, is told at once.

    The library would try five times with growing pauses, and then speak of something else.
    """
    path = f"/api/datasets/{checked_id(dataset)}/revision/{quote(revision, safe='')}"
    try:
        hub.get_json(path)
    except HubError as error:
        raise type(error)(error.what, where=dataset, mend=error.mend, status=error.status) from error


def _prepared(hub: Hub) -> Any:
    """The `datasets` module, pointed at this endpoint and told not to retry for minutes."""
    _ = hub.api  # sets the environment that is read at import
    import datasets

    settings = datasets.config
    settings.HF_ENDPOINT = hub.settings.endpoint
    for name in ("STREAMING_READ_MAX_RETRIES", "STREAMING_OPEN_MAX_RETRIES"):
        setattr(settings, name, 2)
    for name in vars(settings):
        if name.startswith("STREAMING") and name.endswith("INTERVAL"):
            setattr(settings, name, 1)
    datasets.disable_progress_bars()
    # Its complaints come as exceptions, too; on stderr they would be painted over the screen.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    return datasets


def _told(error: BaseException, dataset: str) -> WorkbenchError:
    """A sentence for whatever the library raised, by the first cause that is known."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, WorkbenchError):
            return seen
        if known := as_hub_error(seen, dataset):
            return known
        seen = seen.__cause__ or seen.__context__
    name = type(error).__name__
    said = (str(error).strip().splitlines() or [""])[0][:300]
    if "scripts are no longer supported" in str(error):
        return DataError(
            "is built by a Python script, which is no longer supported",
            where=dataset,
            mend="Look for a Parquet or JSON copy of it.",
        )
    if name == "DatasetNotFoundError":
        if "gated" in str(error):
            from workbench.errors import GatedError

            mend = "Accept its terms on its Hub page, then try again."
            return GatedError("this dataset is gated and your account has no access yet", where=dataset, mend=mend)
        return NotFoundError("not found – or private, and this token may not see it", where=dataset, status=404)
    if "BuilderConfig" in said or "Unknown split" in said or "Bad split" in said:
        return NotFoundError(f"there is no such config or split ({said})", where=dataset)
    if name in ("DataFilesNotFoundError", "EmptyDatasetError"):
        return DataError("there is no data file in this repo that can be read", where=dataset)
    return DataError(f"the rows cannot be read ({said or name})", where=dataset, mend="The files may be damaged.")
