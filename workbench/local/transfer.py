"""Files in and out of repos: preupload, commit, LFS, download with ranges (hub-contract §5.2, §5.4)."""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import mimetypes
import re
import time
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workbench.local import access
from workbench.local.commits import read_commit
from workbench.local.store import RepoId, checked_path
from workbench.local.wire import Refusal, base_url, json_body, path_param

_LINK_SECONDS = 3600.0


def api_routes(repo: str) -> Sequence[BaseRoute]:
    return [
        Route(repo + "/preupload/{rev}", preupload, methods=["POST"]),
        Route(repo + "/commit/{rev}", commit, methods=["POST"]),
    ]


def file_routes() -> Sequence[BaseRoute]:
    found: list[BaseRoute] = [Route("/lfs-objects/{oid}", lfs_object, methods=["GET", "PUT"])]
    for prefix in ("/datasets", ""):
        repo = prefix + "/{owner}/{name}"
        found += [
            Route(repo + ".git/info/lfs/objects/batch", lfs_batch, methods=["POST"]),
            Route(repo + ".git/info/lfs/verify", lfs_verify, methods=["POST"]),
            Route(repo + "/resolve/{rev}/{path:path}", resolve),
            Route(repo + "/raw/{rev}/{path:path}", resolve),
        ]
    return found


async def preupload(request: Request) -> Response:
    body = await json_body(request)
    repo = access.named_repo(request)
    access.need_write(request, repo.owner)
    now = access.named_commit(request, repo).files
    ignored = _ignore_rules(str(body.get("gitIgnore") or ""))
    answers = []
    for file in body.get("files") or []:
        if not isinstance(file, dict) or not isinstance(file.get("path"), str):
            raise Refusal(400, "Each file needs a path.")
        path = checked_path(file["path"])
        known = now.get(path)
        answers.append(
            {
                "path": path,
                "uploadMode": "regular",  # always: commits.py says why
                "shouldIgnore": any(rule.search("/" + path) for rule in ignored),
                "oid": known.oid if known else None,
            }
        )
    return JSONResponse({"files": answers})


def _ignore_rules(text: str) -> list[re.Pattern[str]]:
    """The plain rules of a .gitignore as patterns over "/path"; negations are left out, so less is ignored."""
    rules = []
    for raw in text.splitlines()[:1000]:
        line = raw.strip()
        if not line or line.startswith(("#", "!")):
            continue
        inner = line.strip("/")
        head = "^/" if "/" in inner or line.startswith("/") else "(?:^|.*)/"
        body = fnmatch.translate(inner).removeprefix("(?s:").split(r")\Z")[0].split(r")\z")[0]
        rules.append(re.compile(f"{head}{body.replace('.*', '[^/]*')}{'/' if line.endswith('/') else '(?:/|$)'}"))
    return rules


async def commit(request: Request) -> Response:
    repo = access.named_repo(request)
    access.need_write(request, repo.owner)
    if request.query_params.get("create_pr") in ("1", "true"):
        raise Refusal(400, "Pull requests are not served here; commit to a branch.")
    branch = path_param(request, "rev")
    store = access.store_of(request)
    store.resolve(repo, branch)  # before a large body is read for nothing
    asked = await read_commit(request.stream(), store)

    def write() -> str:
        made = store.commit(
            repo,
            branch,
            title=asked.title,
            message=asked.description,
            put=asked.put,
            delete=tuple(asked.delete),
            delete_folders=tuple(asked.delete_folders),
            expected_parent=asked.parent,
        )
        return made.sha

    sha = await run_in_threadpool(write)
    url = f"{base_url(request)}/{'datasets/' if repo.kind == 'dataset' else ''}{repo}/commit/{sha}"
    return JSONResponse({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})


def resolve(request: Request) -> Response:
    """A file of a commit. HEAD and ranges are what Starlette makes of a file on disk."""
    repo = access.named_repo(request)
    at = access.named_commit(request, repo)
    path = path_param(request, "path")
    common = {"X-Repo-Commit": at.sha, "Cache-Control": "no-cache"}
    entry = at.files.get(path)
    if path not in access.OPEN_FILES:
        access.need_read(request, repo)
    if entry is None:
        raise Refusal(404, "Entry not found", "EntryNotFound")
    headers = {
        **common,
        "ETag": f'"{entry.sha256 if entry.lfs else entry.oid}"',
        "Content-Disposition": "attachment",  # never a page of ours in a browser
        "X-Content-Type-Options": "nosniff",
    }
    if entry.lfs:
        headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(entry.size)}
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return FileResponse(access.store_of(request).blob_path(entry.sha256), headers=headers, media_type=kind)


# -- LFS ---------------------------------------------------------------------------------------------------------


async def lfs_batch(request: Request) -> Response:
    body = await json_body(request)
    repo = access.named_repo(request)
    operation = body.get("operation")
    if operation == "upload":
        access.need_write(request, repo.owner)
    elif operation == "download":
        access.need_read(request, repo)
    else:
        raise Refusal(400, "operation must be upload or download.")
    objects = [_lfs_answer(request, repo, str(operation), one) for one in body.get("objects") or []]
    return JSONResponse({"transfer": "basic", "objects": objects, "hash_algo": "sha256"})


def _lfs_answer(request: Request, repo: RepoId, operation: str, one: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or not re.fullmatch(r"[0-9a-f]{64}", str(one.get("oid"))):
        raise Refusal(400, "Each object needs a SHA-256 as its oid.")
    oid, size = str(one["oid"]), int(one.get("size") or 0)
    here = access.store_of(request).blob_path(oid).exists()
    answer: dict[str, Any] = {"oid": oid, "size": size}
    if operation == "upload":
        if not here:  # no actions: it is here already
            prefix = "datasets/" if repo.kind == "dataset" else ""
            verify = f"{base_url(request)}/{prefix}{repo}.git/info/lfs/verify"
            answer["actions"] = {
                "upload": {"href": _signed(request, oid, "PUT"), "header": {}},
                "verify": {"href": verify, "header": {}},
            }
    elif here and any(entry.sha256 == oid for c in _heads(request, repo) for entry in c.files.values()):
        answer["actions"] = {"download": {"href": _signed(request, oid, "GET"), "header": {}}}
    else:
        answer["error"] = {"code": 404, "message": "Object does not exist"}
    return answer


def _heads(request: Request, repo: RepoId) -> list[Any]:
    store = access.store_of(request)
    known = store.refs(repo)
    return [store.resolve(repo, sha) for kind in ("branches", "tags") for sha in known[kind].values()]


def _signed(request: Request, oid: str, method: str) -> str:
    """A link that works without a token for an hour, for this object and method only."""
    expires = str(int(time.time() + _LINK_SECONDS))
    return f"{base_url(request)}/lfs-objects/{oid}?expires={expires}&signature={_sign(request, oid, method, expires)}"


def _sign(request: Request, oid: str, method: str, expires: str) -> str:
    key = f"lfs:{request.app.state.token}".encode()
    return hmac.new(key, f"{method} {oid} {expires}".encode(), hashlib.sha256).hexdigest()


async def lfs_object(request: Request) -> Response:
    oid = path_param(request, "oid")
    expires = request.query_params.get("expires", "")
    method = "PUT" if request.method == "PUT" else "GET"
    good = hmac.compare_digest(
        request.query_params.get("signature", "").encode(), _sign(request, oid, method, expires).encode()
    )
    if not good or not expires.isdigit() or int(expires) < time.time():
        raise Refusal(403, "This link is not valid, or no longer.", "InvalidSignature")
    store = access.store_of(request)
    if method == "GET":
        path = store.blob_path(oid)
        if not path.exists():
            raise Refusal(404, "Object does not exist")
        return FileResponse(path, media_type="application/octet-stream")
    writer = store.writer()
    try:
        async for chunk in request.stream():
            await run_in_threadpool(writer.write, chunk)
        await run_in_threadpool(writer.done, oid)
    except BaseException:
        writer.abandon()
        raise
    return Response(status_code=200)


async def lfs_verify(request: Request) -> Response:
    body = await json_body(request)
    access.named_repo(request)
    path = access.store_of(request).blob_path(str(body.get("oid")))
    if not path.exists() or path.stat().st_size != body.get("size"):
        raise Refusal(404, "Object does not exist, or has another size")
    return JSONResponse({})
