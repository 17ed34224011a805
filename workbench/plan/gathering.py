"""What the pre-flight needs to hear from the Hub: who we are, whether model and dataset open, where the push goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from workbench.errors import GatedError, HubError, NotFoundError, WorkbenchError
from workbench.hub.client import Hub, hub_errors
from workbench.hub.records import DatasetRecord, Identity, ModelRecord
from workbench.plan.naming import output_repo
from workbench.plan.recipe import Recipe

Target = Literal["new", "exists", "unknown"]


@dataclass(frozen=True)
class Facts:
    """What the Hub said about a recipe.

    Attributes:
        identity, model, dataset: None when the Hub could not say; `problems` then tells why.
        problems: "identity", "model", "dataset" or "output" → the error, to be shown as it is.
        local_dataset: the dataset is a file on this machine.
        output: whether the repo to push to exists already; "unknown" if the Hub could not say.
    """

    identity: Identity | None = None
    model: ModelRecord | None = None
    dataset: DatasetRecord | None = None
    problems: Mapping[str, WorkbenchError] = field(default_factory=dict)
    local_dataset: bool = False
    output_repo: str = ""
    output: Target = "unknown"


def gather(hub: Hub, recipe: Recipe) -> Facts:
    """Ask the Hub what the checks need: identity, model, dataset, push target (blocking, read-only).

    Never raises for an answer of the Hub: each refusal is kept under its name in `problems`.
    """
    from workbench.hub.access import whoami
    from workbench.hub.local_files import local_path

    problems: dict[str, WorkbenchError] = {}
    identity: Identity | None = None
    try:
        identity = whoami(hub)
    except WorkbenchError as error:
        problems["identity"] = error
    model: ModelRecord | None = None
    try:
        model = _model(hub, recipe)
    except WorkbenchError as error:
        problems["model"] = error
    dataset: DatasetRecord | None = None
    local = False
    try:
        local = local_path(recipe.dataset.id) is not None
        if not local:
            dataset = _dataset(hub, recipe)
    except WorkbenchError as error:
        problems["dataset"] = error
    namespace = recipe.job.namespace or hub.settings.namespace or (identity.name if identity else "")
    repo = output_repo(recipe, namespace) if namespace else ""
    target: Target = "unknown"
    if repo:
        try:
            target = _target(hub, repo)
        except WorkbenchError as error:
            problems["output"] = error
    return Facts(identity, model, dataset, problems, local, repo, target)


def _model(hub: Hub, recipe: Recipe) -> ModelRecord:
    """The model's record, after its config was really opened: a gated repo shows its record to anyone."""
    from workbench.hub.parse import model_record

    record = model_record(_info(hub, "models", recipe.model.id, recipe.model.revision))
    _opened(hub, recipe.model.id, "model", recipe.model.revision, "config.json")
    return record


def _dataset(hub: Hub, recipe: Recipe) -> DatasetRecord:
    from workbench.hub.parse import dataset_record

    record = dataset_record(_info(hub, "datasets", recipe.dataset.id, recipe.dataset.revision))
    try:
        _opened(hub, recipe.dataset.id, "dataset", recipe.dataset.revision, "README.md")
    except GatedError:
        raise
    except NotFoundError:
        pass  # a dataset need not have a card; being told so means that it is open
    return record


def _info(hub: Hub, kind: Literal["models", "datasets"], repo: str, revision: str) -> Mapping[str, object]:
    from urllib.parse import quote

    from workbench.hub.files import checked_id

    try:
        data = hub.get_json(f"/api/{kind}/{checked_id(repo)}/revision/{quote(revision, safe='')}")
    except HubError as error:
        # The connection names the address; a person knows the repo by its id.
        told = type(error)(error.what, where=repo, mend=error.mend, status=error.status)
        raise told from error
    if not isinstance(data, Mapping) or not data.get("id"):
        raise HubError("the server's answer is not what a Hub says", where=repo, mend="Check HF_ENDPOINT.")
    return data


def _opened(hub: Hub, repo: str, kind: str, revision: str, path: str) -> None:
    """HEAD one file: the only question to which a gated repo says no (hub-contract §5.4)."""
    api = hub.api  # before the import: it prepares what huggingface_hub reads when it is imported
    from huggingface_hub import hf_hub_url

    with hub_errors(repo):
        url = hf_hub_url(repo, path, repo_type=kind, revision=revision, endpoint=hub.settings.endpoint)
        api.get_hf_file_metadata(url=url)


def _target(hub: Hub, repo: str) -> Target:
    try:
        _info(hub, "models", repo, "main")
    except NotFoundError:
        return "new"
    return "exists"
