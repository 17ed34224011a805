"""The sample repos' way into the store: built by `workbench.local.samples`, imported once a version."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.local.files import private_folder, read_json, write_json
from workbench.local.store import Entry, RepoId, RepoStore, RepoType, StoreError, repo_id

_KINDS: tuple[RepoType, ...] = ("model", "dataset")


def import_samples(store: RepoStore, folder: Path) -> None:
    """Bring the store up to the present sample set. Repos of the user are left alone."""
    from workbench.local import samples

    marker = folder / "samples.json"
    version = str(samples.VERSION)
    if (read_json(marker) or {}).get("version") == version:
        return
    built = private_folder(folder / f"build-{secrets.token_hex(6)}")
    try:
        samples.build(built)
        import_folder(store, built)
    except StoreError as error:
        raise WorkbenchError(f"the sample Hub could not be built ({error})", where=str(folder)) from error
    finally:
        shutil.rmtree(built, ignore_errors=True)
    write_json(marker, {"version": version})


def import_folder(store: RepoStore, built: Path) -> None:
    """Import `<built>/{models,datasets}/<owner>/<name>/` with its sidecar `<name>.json`.

    A sample of an older version gets the new files as its next commit; one that is no longer there is removed.
    """
    kept: set[RepoId] = set()
    for kind in _KINDS:
        for place in sorted((built / f"{kind}s").glob("*/*/")):
            repo = repo_id(kind, place.parent.name, place.name)
            sidecar = place.with_name(place.name + ".json")
            _import_repo(store, repo, place, json.loads(sidecar.read_text(encoding="utf-8")))
            kept.add(repo)
        for repo in list(store.repos(kind)):
            if repo not in kept and store.meta(repo).get("sample"):
                store.delete(repo)


def _import_repo(store: RepoStore, repo: RepoId, place: Path, sidecar: dict[str, Any]) -> None:
    files: dict[str, Entry] = {}
    for path in sorted(place.rglob("*")):
        if path.is_file():
            blob = store.put_bytes(path.read_bytes())
            lfs = path.suffix in (".safetensors", ".parquet")  # as their .gitattributes would have it on the Hub
            files[path.relative_to(place).as_posix()] = Entry(blob.oid, blob.sha256, blob.size, lfs)
    meta = {**sidecar, "sample": True}
    created = str(sidecar.get("createdAt") or "2026-01-01T00:00:00.000Z")
    if not store.exists(repo):
        store.create(repo, meta, date=created)
    elif not store.meta(repo).get("sample"):
        return  # the user made a repo of that name before the sample set had one
    store.set_meta(repo, meta)
    head = store.resolve(repo, "main")
    if dict(head.files) != files:
        gone = tuple(path for path in head.files if path not in files)
        date = str(sidecar.get("lastModified") or created)
        store.commit(repo, "main", title="Add the sample's files", put=files, delete=gone, date=date)
