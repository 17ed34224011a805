"""The Hub's repo routes: create, info, lists, tree, refs, settings (hub-contract §5.1, §5.4, §6)."""

from __future__ import annotations

import hashlib
from typing import Any, Literal
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workbench.local import access, transfer
from workbench.local import card as cards
from workbench.local.listing import PAGE, project
from workbench.local.store import Commit, Entry, RepoId, RepoStore, StoreError, repo_id
from workbench.local.wire import (
    Refusal,
    base_url,
    config_of,
    decode_cursor,
    flag,
    json_body,
    next_link,
    number,
    path_param,
)

TREE_PAGE = 1000


def routes() -> list[BaseRoute]:
    found: list[BaseRoute] = [
        Route("/api/repos/create", create_repo, methods=["POST"]),
        Route("/api/repos/delete", delete_repo, methods=["DELETE"]),
        Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
    ]
    for kind in ("models", "datasets"):
        base = f"/api/{kind}"
        repo = base + "/{owner}/{name}"
        found += [
            Route(base, list_repos),
            Route(repo, repo_info),
            Route(repo + "/revision/{rev}", repo_info),
            Route(repo + "/tree/{rev}", tree),
            Route(repo + "/tree/{rev}/{path:path}", tree),
            Route(repo + "/paths-info/{rev}", paths_info, methods=["POST"]),
            Route(repo + "/refs", refs),
            Route(repo + "/commits/{rev}", commits),
            Route(repo + "/branch/{ref}", branch, methods=["POST", "DELETE"]),
            Route(repo + "/tag/{ref}", tag, methods=["POST", "DELETE"]),
            Route(repo + "/settings", settings, methods=["PUT"]),
            Route(repo + "/auth-check", auth_check),
            Route(repo + "/auth-check/write", auth_check_write),
            *transfer.api_routes(repo),
            Route(base + "/{name}", _no_namespace),
            Route(base + "/{name}/revision/{rev}", _no_namespace),
        ]
    return [*found, *transfer.file_routes(), Route("/{name}/resolve/{rev}/{path:path}", _no_namespace)]


async def _no_namespace(_request: Request) -> Response:
    raise Refusal(404, "Repository not found", "RepoNotFound")  # every repo here has an owner


async def create_repo(request: Request) -> Response:
    body = await json_body(request)
    return await run_in_threadpool(_create_repo, request, body)


def _create_repo(request: Request, body: dict[str, Any]) -> Response:
    repo = _body_repo(request, body)
    access.need_write(request, repo.owner)
    prefix = "datasets/" if repo.kind == "dataset" else ""
    answer = {"url": f"{base_url(request)}/{prefix}{repo}", "name": str(repo)}
    private = body.get("visibility") == "private" or body.get("private") is True
    try:
        access.store_of(request).create(repo, {"private": private, "gated": False})
    except StoreError as error:
        if error.status != 409:
            raise
        raise Refusal(409, str(error), error.code, body=answer) from error  # `exist_ok` reads `url`
    return JSONResponse(answer)


async def delete_repo(request: Request) -> Response:
    repo = _body_repo(request, await json_body(request))
    access.need_write(request, repo.owner)
    await run_in_threadpool(access.store_of(request).delete, repo)
    return JSONResponse({})


def _body_repo(request: Request, body: dict[str, Any]) -> RepoId:
    kind = body.get("type") or "model"
    if kind not in ("model", "dataset"):
        raise Refusal(400, f"Only models and datasets are served here, no {kind!r}.")
    owner = body.get("organization") or config_of(request).account
    return repo_id("dataset" if kind == "dataset" else "model", str(owner), str(body.get("name")))


async def validate_yaml(request: Request) -> Response:
    content = (await json_body(request)).get("content")
    if not isinstance(content, str):
        raise Refusal(400, "content must be a text.")
    errors = await run_in_threadpool(cards.validate_yaml, content)
    if errors:
        found = [{"message": message} for message in errors]
        raise Refusal(400, errors[0], body={"errors": found, "warnings": []})
    return JSONResponse({"errors": [], "warnings": []})


def list_repos(request: Request) -> Response:
    limit = number(request, "limit", PAGE, least=1) or PAGE
    text = request.query_params.get("cursor")
    cursor = decode_cursor(text) if text else None
    if access.kind_of(request) == "dataset":
        request.app.state.viewer.warm()  # a look into one of them comes next
    account = config_of(request).account
    records = access.records_of(request)
    found, after = records.page(access.kind_of(request), account, request.query_params, cursor, limit)
    return JSONResponse(found, headers=next_link(request, after) if after is not None else None)


def repo_info(request: Request) -> Response:
    repo = access.named_repo(request)
    commit = access.named_commit(request, repo) if "rev" in request.path_params else None
    record = access.records_of(request).record(repo, commit, blobs=bool(flag(request, "blobs")))
    return JSONResponse(project(record, request.query_params))


def tree(request: Request) -> Response:
    repo = access.named_repo(request)
    commit = access.named_commit(request, repo)
    folder = path_param(request, "path").strip("/") if "path" in request.path_params else ""
    if folder and not any(path.startswith(folder + "/") for path in commit.files):
        raise Refusal(404, f"{folder} does not exist on {commit.sha}.", "EntryNotFound")
    expand = bool(flag(request, "expand"))
    listed = _tree(commit, folder, recursive=bool(flag(request, "recursive")))
    text = request.query_params.get("cursor")
    start = str(decode_cursor(text)) if text else ""
    listed = [entry for entry in listed if entry["path"] > start]
    shown = listed[: min(number(request, "limit", TREE_PAGE, least=1) or TREE_PAGE, TREE_PAGE)]
    if expand:
        _add_last_commits(access.store_of(request), repo, commit, shown)
    more = len(listed) > len(shown)
    return JSONResponse(shown, headers=next_link(request, shown[-1]["path"]) if more else None)


def _tree(commit: Commit, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    start = folder + "/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for path, entry in commit.files.items():
        if not path.startswith(start):
            continue
        parts = path[len(start) :].split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            inner = start + "/".join(parts[:depth])
            found.setdefault(inner, {"type": "directory", "path": inner, "oid": _tree_oid(commit, inner), "size": 0})
        if recursive or len(parts) == 1:
            found[path] = _file(path, entry)
    return [found[path] for path in sorted(found)]


def _file(path: str, entry: Entry) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": "file", "path": path, "size": entry.size, "oid": entry.oid}
    if entry.lfs:
        shown["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": 134}
    return shown


def _tree_oid(commit: Commit, folder: str) -> str:
    inside = sorted((path, entry.oid) for path, entry in commit.files.items() if path.startswith(folder + "/"))
    return hashlib.sha1(repr(inside).encode(), usedforsecurity=False).hexdigest()


def _add_last_commits(store: RepoStore, repo: RepoId, head: Commit, shown: list[dict[str, Any]]) -> None:
    """`lastCommit` of each entry: the newest commit that left it as it is now."""
    waiting = {entry["path"]: entry for entry in shown}
    newer = head
    for commit in store.history(repo, head.sha):
        for path in [path for path in waiting if _state(commit, path) != _state(head, path)]:
            waiting.pop(path)["lastCommit"] = _last_commit(newer)
        newer = commit
        if not waiting:
            return
    for entry in waiting.values():
        entry["lastCommit"] = _last_commit(newer)


def _state(commit: Commit, path: str) -> str | None:
    entry = commit.files.get(path)
    return entry.oid if entry else _tree_oid(commit, path)


def _last_commit(commit: Commit) -> dict[str, str]:
    return {"id": commit.sha, "title": commit.title, "date": commit.date}


async def paths_info(request: Request) -> Response:
    """The client sends a form (`paths=a&paths=b&expand=False`)."""
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        body = await json_body(request)
        paths = [str(path) for path in body.get("paths", [])]
        expand = body.get("expand") is True
    else:
        form = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True)
        paths = form.get("paths", [])
        expand = form.get("expand", [""])[0].lower() == "true"
    return await run_in_threadpool(_paths_info, request, paths, expand)


def _paths_info(request: Request, paths: list[str], expand: bool) -> Response:
    repo = access.named_repo(request)
    commit = access.named_commit(request, repo)
    found: list[dict[str, Any]] = []
    for path in dict.fromkeys(path.strip("/") for path in paths):
        if path in commit.files:
            found.append(_file(path, commit.files[path]))
        elif any(known.startswith(path + "/") for known in commit.files):
            found.append({"type": "directory", "path": path, "oid": _tree_oid(commit, path), "size": 0})
    if expand:
        _add_last_commits(access.store_of(request), repo, commit, found)
    return JSONResponse(found)


def refs(request: Request) -> Response:
    known = access.store_of(request).refs(access.named_repo(request))

    def listed(kind: str, prefix: str) -> list[dict[str, str]]:
        return [
            {"name": name, "ref": f"refs/{prefix}/{name}", "targetCommit": sha}
            for name, sha in sorted(known[kind].items())
        ]

    answer = {"branches": listed("branches", "heads"), "converts": [], "tags": listed("tags", "tags")}
    if flag(request, "include_prs"):
        answer["pullRequests"] = []
    return JSONResponse(answer)


def commits(request: Request) -> Response:
    repo = access.named_repo(request)
    shown = [
        {
            "id": commit.sha,
            "title": commit.title,
            "message": commit.message,
            "authors": [{"user": commit.author}],
            "date": commit.date,
        }
        for commit in access.store_of(request).history(repo, path_param(request, "rev"))
    ]
    return JSONResponse(shown)


async def branch(request: Request) -> Response:
    body = await json_body(request)
    start = str(body.get("startingPoint") or "main")
    return await run_in_threadpool(_ref, request, "branches", path_param(request, "ref"), start)


async def tag(request: Request) -> Response:
    """POST names the revision in the address and the tag in the body; DELETE names the tag in the address."""
    body = await json_body(request)
    ref = path_param(request, "ref")
    name = str(body.get("tag") or "") if request.method == "POST" else ref
    return await run_in_threadpool(_ref, request, "tags", name, ref)


def _ref(request: Request, kind: Literal["branches", "tags"], name: str, start: str) -> Response:
    repo = access.named_repo(request)
    access.need_write(request, repo.owner)
    store = access.store_of(request)
    with store.locked(repo):
        if request.method == "DELETE":
            if kind == "branches" and name == "main":
                raise Refusal(403, "The branch main cannot be deleted.")
            store.set_ref(repo, kind, name, None)
        elif name in store.refs(repo)[kind]:
            raise Refusal(409, f"Reference already exists: {name}", "ReferenceExists")
        else:
            store.set_ref(repo, kind, name, store.resolve(repo, start).sha)
    return JSONResponse({})


async def settings(request: Request) -> Response:
    body = await json_body(request)
    repo = access.named_repo(request)
    access.need_write(request, repo.owner)
    changes: dict[str, Any] = {}
    if "visibility" in body:
        changes["private"] = body["visibility"] == "private"
    if "gated" in body:
        if body["gated"] not in ("auto", "manual", False):
            raise Refusal(400, "gated must be auto, manual or false.")
        changes["gated"] = body["gated"]
    await run_in_threadpool(access.store_of(request).set_meta, repo, changes)
    return JSONResponse(changes)


def auth_check(request: Request) -> Response:
    access.need_read(request, access.named_repo(request))
    return JSONResponse({})


def auth_check_write(request: Request) -> Response:
    access.need_write(request, access.named_repo(request).owner)
    return JSONResponse({})
