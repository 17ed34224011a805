"""A file or folder on this machine as a dataset: .jsonl, .json, .csv, .tsv and .parquet, opened like any other.

Files are read as streams and only as far as asked; a damaged line costs that line (`tolerant.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.errors import DataError, NotFoundError
from workbench.hub import tolerant, types
from workbench.hub.files import lines
from workbench.hub.records import RowsPage, Split

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
# Bytes. Above this a text file's rows are not counted: that would mean reading all of it.
_COUNTED = 64_000_000
# A .json document must be decoded as a whole; this much of it is read.
_WHOLE_JSON = 256_000_000
_CHUNK = 1 << 20

# How a file's name tells its split; the rest is "train".
_SPLIT_WORDS = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "eval": "validation",
}


def local_path(dataset: str) -> Path | None:
    """The path a dataset id stands for, None if it is a Hub id.

    A path begins with /, ./, ../ or ~, or ends like a data file and exists.

    Raises:
        NotFoundError: it reads as a path and nothing is there.
    """
    text = dataset.strip()
    looks = text.startswith(("/", "./", "../", "~", ".\\")) or Path(text).drive != ""
    path = Path(text).expanduser()
    if looks and not path.exists():
        raise NotFoundError("no such file or folder", where=text, mend="Check the path.")
    if looks or (text.lower().endswith(SUFFIXES) and path.exists()):
        return path
    return None


def splits(path: Path) -> list[Split]:
    """The splits of a file or folder, by file name, with row counts where they are cheap."""
    return [Split("default", name, _count(files)) for name, files in _by_split(path).items()]


def rows(path: Path, split: str, *, offset: int, limit: int) -> RowsPage:
    """Rows of one split. Broken lines are told in `problem`; the rest is there.

    Raises:
        NotFoundError: no such split.
        DataError: no data file, or nothing in it can be read.
    """
    by_split = _by_split(path)
    if split not in by_split:
        raise NotFoundError(f"there is no split {split!r}", where=str(path), mend=f"It has {', '.join(by_split)}.")
    found: list[dict[str, Any]] = []
    problems: list[str] = []
    skipped, complete = 0, True
    for file in by_split[split]:
        try:
            got, problem, ended, passed = _read(file, max(offset - skipped, 0), limit - len(found))
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror or error})", where=str(file)) from error
        skipped += passed
        found += got
        if problem:
            problems.append(problem)
        complete = complete and ended
        if len(found) >= limit:
            complete = complete and file == by_split[split][-1]
            break
    if not found and problems and offset == 0:
        raise DataError(problems[0].removeprefix(f"{path.name}: ").removesuffix(tolerant.LEFT_OUT), where=str(path))
    plain = tuple(types.plain(row) for row in found)
    return RowsPage(
        config="default",
        split=split,
        columns=types.of_values(plain),
        rows=plain,
        total=offset + len(found) if complete and found else _count(by_split[split]),
        source="file",
        problem=" ".join(problems),
    )


def _read(file: Path, offset: int, limit: int) -> tuple[list[dict[str, Any]], str, bool, int]:
    """(rows, problem, whether the file ended, good rows passed over before them)"""
    if file.suffix.lower() == ".parquet":
        return _parquet(file, offset, limit)
    csv = file.suffix.lower() in (".csv", ".tsv")
    counter = _Counted(_items(file))
    got, problem, ended = tolerant.take(counter, offset, limit, where=file.name)
    if csv:
        got = tolerant.typed(got)
    return got, problem, ended and counter.good <= offset + limit, min(counter.good, offset)


class _Counted:
    """Passes items on and counts the good ones."""

    def __init__(self, items: Iterator[tolerant.Row | tolerant.Broken]) -> None:
        self._items = items
        self.good = 0

    def __iter__(self) -> Iterator[tolerant.Row | tolerant.Broken]:
        for item in self._items:
            self.good += not isinstance(item, tolerant.Broken)
            yield item


def _items(file: Path) -> Iterator[tolerant.Row | tolerant.Broken]:
    suffix = file.suffix.lower()
    read = lines(_chunks(file), longest=tolerant.LONGEST_LINE)
    if suffix in (".csv", ".tsv"):
        return tolerant.csv_rows(read, delimiter="\t" if suffix == ".tsv" else "")
    if suffix == ".json" and not _is_lines(file):
        text = b"".join(_chunks(file, _WHOLE_JSON)).decode("utf-8-sig", errors="replace")
        return tolerant.json_array(text)
    return tolerant.json_lines(read)


def _chunks(file: Path, most: int | None = None) -> Iterator[bytes]:
    taken = 0
    with file.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk
            taken += len(chunk)
            if most is not None and taken >= most:
                return


def _is_lines(file: Path) -> bool:
    """Whether a .json file holds one object a line: its first line is a complete object."""
    import json

    with file.open("rb") as handle:
        first = handle.readline(tolerant.LONGEST_LINE).strip()
        follows = handle.read(64).strip()
    if not first.startswith(b"{") or not follows:
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _parquet(file: Path, offset: int, limit: int) -> tuple[list[dict[str, Any]], str, bool, int]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            total = table.metadata.num_rows
            if offset >= total:
                return [], "", True, total
            groups, before = [], 0
            for index in range(table.num_row_groups):
                size = table.metadata.row_group(index).num_rows
                if before + size > offset:
                    groups.append(index)
                else:
                    before += size
            found: list[dict[str, Any]] = []
            skip = offset - before
            for batch in table.iter_batches(batch_size=min(max(limit, 1), 1024), row_groups=groups):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                found += batch.slice(skip, limit - len(found)).to_pylist()
                skip = 0
                if len(found) >= limit:
                    break
            return found, "", offset + len(found) >= total, offset
    except pyarrow.ArrowException as error:
        raise DataError(f"is no readable Parquet file ({_first_line(error)})", where=str(file)) from error


def _by_split(path: Path) -> dict[str, list[Path]]:
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"{path.suffix or 'a file without an ending'} is no data file we read",
                where=str(path),
                mend=f"Give {', '.join(SUFFIXES)} or a folder of them.",
            )
        return {"train": [path]}
    try:
        files = sorted(item for item in path.rglob("*") if item.suffix.lower() in SUFFIXES and item.is_file())
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if not files:
        raise DataError("there is no data file in this folder", where=str(path), mend=f"Known: {', '.join(SUFFIXES)}.")
    found: dict[str, list[Path]] = {}
    for file in files:
        words = "".join(c if c.isalnum() else " " for c in str(file.relative_to(path).with_suffix("")).lower()).split()
        name = next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), "train")
        found.setdefault(name, []).append(file)
    order = ("train", "validation", "test")
    return {name: found[name] for name in sorted(found, key=order.index)}


def _count(files: list[Path]) -> int | None:
    """Good rows in all files, None if counting would mean reading too much."""
    total = 0
    try:
        for file in files:
            if file.suffix.lower() == ".parquet":
                import pyarrow.parquet

                total += pyarrow.parquet.read_metadata(file).num_rows
            elif file.stat().st_size > _COUNTED:
                return None
            else:
                total += sum(not isinstance(item, tolerant.Broken) for item in _items(file))
    except (OSError, ValueError):  # pyarrow's errors are both; rows() tells what is wrong
        return None
    return total


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
