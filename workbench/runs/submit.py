"""From a recipe to a running job: seal it, write it down, ask for it – in that order, so a crash loses nothing.

The job is `bash -c …` in the public uv image, with the training script and the recipe, gzipped, in its environment:
one request and nothing left behind. `hf_command_line` is the equal `hf jobs uv run …` line.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from math import ceil

from workbench.errors import HubError, RecipeError, WorkbenchError
from workbench.hub.client import Hub, hub_errors
from workbench.hub.jobs import JobSpec, label_value, list_jobs, submit_job
from workbench.hub.records import Flavor, JobRecord
from workbench.plan.naming import output_repo, run_name
from workbench.plan.recipe import Recipe
from workbench.runs.ledger import RUN_LABEL, Ledger
from workbench.runs.records import NewRun, Place, RunRecord
from workbench.settings import Settings

IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"

# Linux refuses a single environment string beyond 128 KiB (MAX_ARG_STRLEN); keep well below.
LARGEST_VARIABLE = 100_000

# A request without an answer is looked for this long by its label, then counted as refused; seconds.
ANSWER_SECONDS = 180.0

_COMMAND = (
    "set -e; "
    'printf %s "$WB_SCRIPT" | base64 -d | gzip -dc > train.py; '
    'printf %s "$WB_RECIPE" | base64 -d | gzip -dc > recipe.json; '
    "unset WB_SCRIPT WB_RECIPE; "
    "exec uv run train.py --recipe recipe.json"
)


def script() -> str:
    """The text of the training script that jobs run."""
    return resources.files("job_scripts").joinpath("train.py").read_text(encoding="utf-8")


def build_job(
    recipe: Recipe, *, job_name: str, namespace: str, settings: Settings, script_text: str, token: str | None
) -> JobSpec:
    """The job of a recipe. The token travels as a secret only.

    Raises:
        RecipeError: the recipe does not fit into a job's environment.
    """
    env = {
        "WB_SCRIPT": _packed(script_text),
        "WB_RECIPE": _packed(json.dumps(recipe.as_dict(), ensure_ascii=False)),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    for name, what in (("WB_SCRIPT", "the training script"), ("WB_RECIPE", "this recipe")):
        if len(env[name]) > LARGEST_VARIABLE:
            raise RecipeError(
                f"{what} is too large for a job ({len(env[name]):,} bytes packed, {LARGEST_VARIABLE:,} fit)",
                where="recipe",
                mend="Shorten the mapping's templates or the system prompt.",
            )
    if settings.place != "hub":  # a process on this machine must use the Hub that we use
        env["HF_ENDPOINT"] = settings.endpoint
    return JobSpec(
        image=IMAGE,
        command=("bash", "-c", _COMMAND),
        flavor=recipe.job.flavor,
        namespace=namespace,
        env=env,
        secrets={"HF_TOKEN": token} if token else {},
        timeout_seconds=recipe.job.timeout_minutes * 60,
        labels={
            "name": label_value(job_name),
            "tool": "lora-workbench",
            "method": recipe.method,
            "model": label_value(recipe.model.id),
            "dataset": label_value(recipe.dataset.id),
        },
    )


def hf_command_line(recipe: Recipe, *, namespace: str = "") -> str:
    """The equal line for a shell, for a folder that holds `train.py` and `recipe.json`. No secret is in it."""
    words = ["hf", "jobs", "uv", "run", "--flavor", recipe.job.flavor, "--timeout", f"{recipe.job.timeout_minutes}m"]
    if owner := namespace or recipe.job.namespace:
        words += ["--namespace", owner]
    words += ["--secrets", "HF_TOKEN", "--name", label_value(run_name(recipe)), "--label", "tool=lora-workbench"]
    return shlex.join([*words, "train.py", "--recipe", "recipe.json"])


def seal(recipe: Recipe, hub: Hub) -> Recipe:
    """The recipe with nothing left open: commits instead of branches, the push target, the account.

    Raises:
        NotFoundError, GatedError, HubError: the model or the dataset cannot be reached as it is named.
    """
    namespace = recipe.job.namespace or hub.namespace()
    with hub_errors(recipe.model.id):
        model = hub.api.model_info(recipe.model.id, revision=recipe.model.revision)
    with hub_errors(recipe.dataset.id):
        dataset = hub.api.dataset_info(recipe.dataset.id, revision=recipe.dataset.revision)
    sealed = recipe
    for key, value in (
        ("name", run_name(recipe)),
        ("model.revision", model.sha or recipe.model.revision),
        ("dataset.revision", dataset.sha or recipe.dataset.revision),
        ("output.repo", output_repo(recipe, hub.repo_owner(namespace))),
        ("job.namespace", namespace),
    ):
        sealed = sealed.changed(key, value)
    return sealed


def check_allowed(recipe: Recipe, flavor: Flavor, ledger: Ledger, settings: Settings) -> None:
    """Refuse what the settings forbid, before anything is asked or written.

    Raises:
        WorkbenchError: read-only, or the worst case (the whole timeout) is beyond a cap; names both sums.
    """
    if settings.readonly:
        raise WorkbenchError("this workbench was opened read-only", where="submit", mend="Open it without --readonly.")
    worst = ceil(recipe.job.timeout_minutes) * flavor.usd_per_hour / 60
    cap = recipe.job.cap_usd or settings.cap_run_usd
    case = f"{recipe.job.timeout_minutes} min on {flavor.name} may cost ${worst:,.2f}"
    if cap and worst > cap + 1e-9:
        fits = int(cap / flavor.usd_per_hour * 60)
        raise WorkbenchError(
            f"{case}, the cap for a run is ${cap:,.2f}",
            where="submit",
            mend=f"Set the timeout to {fits} minutes or less, choose a cheaper flavor, or raise the cap.",
        )
    if settings.cap_month_usd and settings.place == "hub":
        now = datetime.now(UTC)
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
        spent = ledger.spent_since(month)
        if spent + worst > settings.cap_month_usd + 1e-9:
            raise WorkbenchError(
                f"{case}, and ${spent:,.2f} of this month's ${settings.cap_month_usd:,.2f} are spent",
                where="submit",
                mend="Shorten the timeout, choose a cheaper flavor, or raise the month's cap.",
            )


def submit(hub: Hub, ledger: Ledger, recipe: Recipe, *, flavors: Sequence[Flavor], settings: Settings) -> RunRecord:
    """Start the recipe's job and return its run. The run is in the ledger before the request leaves.

    Raises:
        WorkbenchError: forbidden by the settings, or no such flavor.
        HubError: refused; the run stays in the ledger as REFUSED with the reason. If no answer came, the run stays
            PREPARED until `reconcile` has found out whether the job exists.
    """
    flavor = next((one for one in flavors if one.name == recipe.job.flavor), None)
    if flavor is None:
        raise WorkbenchError(
            f"there is no flavor {recipe.job.flavor!r} here",
            where="submit",
            mend=f"There are: {', '.join(one.name for one in flavors)}.",
        )
    check_allowed(recipe, flavor, ledger, settings)
    sealed = seal(recipe, hub)
    text = script()
    spec = build_job(
        sealed,
        job_name=run_name(sealed),
        namespace=sealed.job.namespace,
        settings=settings,
        script_text=text,
        token=settings.token,
    )
    place: Place = "demo" if settings.demo else settings.compute
    run = ledger.create(
        NewRun(
            name=run_name(sealed),
            place=place,
            endpoint=settings.jobs_endpoint,
            namespace=spec.namespace,
            flavor=flavor.name,
            usd_per_hour=flavor.usd_per_hour,
            timeout_seconds=spec.timeout_seconds,
            cap_usd=sealed.job.cap_usd or settings.cap_run_usd,
            recipe=sealed.as_dict(),
            script_sha256=hashlib.sha256(text.encode()).hexdigest(),
            labels=spec.labels,
            command_line=hf_command_line(sealed),
        )
    )
    return start(hub, ledger, run, spec)


def start(hub: Hub, ledger: Ledger, run: RunRecord, spec: JobSpec) -> RunRecord:
    """Ask for the job of a run that is in the ledger. See `submit` for what may be raised."""
    labelled = JobSpec(**{**vars(spec), "labels": {**spec.labels, RUN_LABEL: run.id}})
    try:
        job = submit_job(hub, labelled)
    except HubError as error:
        # 4xx is a no. After silence or a 5xx the job may run all the same (hub-contract §2.5): ask before giving up.
        if 400 <= error.status < 500 or _never_left(error):
            ledger.refuse(run.id, error.sentence())
            raise
        if (job_found := _by_label(hub, run)) is not None:
            return ledger.attach_job(run.id, job_found)
        raise HubError(
            f"{error.what}; whether the job runs is not known yet",
            where=error.where,
            mend="The run is in the ledger and is looked for; do not submit again before it says REFUSED.",
            status=error.status,
        ) from error
    return ledger.attach_job(run.id, job)


def reconcile(hub: Hub, ledger: Ledger) -> list[str]:
    """Runs whose request never got an answer: attach their job if there is one, else refuse them after a while.

    Returns the ids of the runs that changed.
    """
    changed: list[str] = []
    for run in ledger.runs(open_only=True):
        if run.stage != "PREPARED" or run.endpoint != hub.settings.jobs_endpoint:
            continue
        jobs = list_jobs(hub, labels={RUN_LABEL: run.id}, namespace=run.namespace, limit=1)
        if jobs:
            ledger.attach_job(run.id, jobs[0])
        elif time.time() - run.created > ANSWER_SECONDS:
            ledger.refuse(run.id, "The request got no answer, and no such job was started.")
        else:
            continue
        changed.append(run.id)
    return changed


def _never_left(error: HubError) -> bool:
    """Whether no connection came about, so that the server cannot have started anything."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")


def _by_label(hub: Hub, run: RunRecord) -> JobRecord | None:
    try:
        jobs = list_jobs(hub, labels={RUN_LABEL: run.id}, namespace=run.namespace, limit=1)
    except HubError:
        return None
    return jobs[0] if jobs else None


def _packed(text: str) -> str:
    # mtime=0: the same script gives the same bytes.
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
