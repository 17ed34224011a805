"""Who may see, read and write a repo, and how a request names one."""

from __future__ import annotations

from starlette.requests import Request

from workbench.local.listing import Records
from workbench.local.store import Commit, RepoId, RepoStore, RepoType, repo_id
from workbench.local.wire import Refusal, config_of, path_param

# Readable without access to a gated repo, so that one can see what the terms are.
OPEN_FILES = frozenset({"README.md", ".gitattributes"})


def store_of(request: Request) -> RepoStore:
    store: RepoStore = request.app.state.store
    return store


def records_of(request: Request) -> Records:
    records: Records = request.app.state.records
    return records


def kind_of(request: Request) -> RepoType:
    """The repo type a route was made for: datasets have it in the address, models are the default."""
    return "dataset" if "datasets" in str(request.scope["path"]).split("/")[1:3] else "model"


def named_repo(request: Request) -> RepoId:
    """The repo in the address, visible to this account. Raises: StoreError 404 RepoNotFound, 400 for a bad id."""
    repo = repo_id(kind_of(request), path_param(request, "owner"), path_param(request, "name"))
    return visible(request, repo)


def visible(request: Request, repo: RepoId) -> RepoId:
    store = store_of(request)
    store.need(repo)
    if store.meta(repo).get("private") and repo.owner != config_of(request).account:
        raise Refusal(404, "Repository not found", "RepoNotFound")  # as if it were not there
    return repo


def named_commit(request: Request, repo: RepoId) -> Commit:
    return store_of(request).resolve(repo, path_param(request, "rev"))


def may_read(request: Request, repo: RepoId) -> bool:
    """Whether the account may read the files: always, but for a gated repo it has no access to."""
    meta = store_of(request).meta(repo)
    return not meta.get("gated") or repo.owner == config_of(request).account or bool(meta.get("accessible"))


def need_read(request: Request, repo: RepoId) -> None:
    if not may_read(request, repo):
        prefix = "datasets/" if repo.kind == "dataset" else ""
        raise Refusal(
            403,
            f"Access to {repo.kind} {repo} is restricted and you are not in the authorized list. "
            f"Visit {request.app.state.url}/{prefix}{repo} to ask for access.",
            "GatedRepo",
        )


def need_write(request: Request, owner: str) -> None:
    account = config_of(request).account
    if owner != account:
        raise Refusal(403, f"You don't have the rights to write under the namespace {owner!r}. Yours is {account!r}.")
