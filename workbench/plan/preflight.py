"""The checks before a GPU minute is paid for: each with a verdict, a sentence, and the mend.

`gather` asks the Hub (blocking, in `gathering.py`); `preflight` judges what was gathered, together with the estimate,
and is pure, so that a screen can redraw it at every key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.errors import WorkbenchError
from workbench.hub.records import DatasetRecord, ModelRecord
from workbench.plan.frontier import FlavorEstimate
from workbench.plan.gathering import Facts, gather
from workbench.plan.money import format_hours, format_usd, worst_case
from workbench.plan.recipe import Recipe
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.data.lengths import LengthSample

__all__ = ["Check", "Facts", "Verdict", "blocking", "enough_minutes", "gather", "preflight"]

Verdict = Literal["ok", "warn", "fail", "wait"]

# The upper end of the time should stay this far below the timeout.
_MARGIN = 1.1


@dataclass(frozen=True)
class Check:
    """One check. "wait" means that its facts are not there yet; `mend` is "" when all is well."""

    key: str
    title: str
    verdict: Verdict
    text: str
    mend: str = ""


def preflight(
    recipe: Recipe,
    *,
    settings: Settings,
    facts: Facts | None = None,
    mapping_verdict: str = "",
    mapping_reason: str = "",
    estimate: FlavorEstimate | None = None,
    spent_month: float = 0.0,
    lengths: LengthSample | None = None,
) -> tuple[Check, ...]:
    """Judge a recipe. Pure.

    Args:
        facts: what `gather` brought; None while it is under way.
        mapping_verdict: the dataset's for this method: "READY", "NEEDS MAPPING", "INCOMPATIBLE" or "" (not known).
        estimate: the frontier's row for the recipe's flavor.
        spent_month: US dollars spent this month, from the ledger.
        lengths: rows measured with the model's own template; tells how many it refuses.
    """
    known = facts or Facts()
    waiting = facts is None
    checks = [
        _signed_in(known, waiting),
        _jobs_allowed(recipe, known, settings, waiting),
        _repo("model", "model", recipe.model.id, known.model, known, waiting),
        _dataset_check(recipe, known, settings, waiting),
        _mapping(recipe, mapping_verdict, mapping_reason),
        _rows(lengths),
        _fit(recipe, estimate),
        _timeout(recipe, estimate),
        _cap(recipe, settings, estimate),
        _month(recipe, settings, estimate, spent_month),
        _push(recipe, known, settings, waiting),
    ]
    return tuple(check for check in checks if check is not None)


def blocking(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks that forbid a submit."""
    return tuple(check for check in checks if check.verdict == "fail")


def _told(key: str, title: str, error: WorkbenchError) -> Check:
    head = f"{error.where}: {error.what}" if error.where else error.what
    return Check(key, title, "fail", head, error.mend)


def _signed_in(known: Facts, waiting: bool) -> Check:
    title = "signed in"
    if waiting:
        return Check("account", title, "wait", "asking the Hub")
    if error := known.problems.get("identity"):
        return _told("account", title, error)
    if known.identity is None:
        return Check("account", title, "fail", "not signed in", "Run `hf auth login`, or set HF_TOKEN.")
    return Check("account", title, "ok", known.identity.name)


def _jobs_allowed(recipe: Recipe, known: Facts, settings: Settings, waiting: bool) -> Check:
    from workbench.hub.access import may

    title = "may start jobs"
    if waiting or known.identity is None:
        return Check("jobs", title, "wait", "needs an account" if not waiting else "asking the Hub")
    identity = known.identity
    namespace = recipe.job.namespace or settings.namespace or identity.name
    if namespace not in (identity.name, *identity.orgs):
        return Check(
            "jobs", title, "fail", f"{identity.name} is no member of {namespace}", "Choose another job.namespace."
        )
    allowed = may(identity, "job.write", namespace)
    if allowed is False:
        mend = "Make a token with write and job.write rights, then `hf auth login`."
        return Check("jobs", title, "fail", f"the token may not start jobs in {namespace}", mend)
    if allowed is None:
        return Check("jobs", title, "warn", f"the Hub does not say whether the token may, in {namespace}")
    if not settings.demo and settings.compute == "hub" and namespace == identity.name and not identity.can_pay:
        mend = "Add a card or credits under Billing."
        return Check("jobs", title, "warn", f"{namespace} has no means of payment on file", mend)
    return Check("jobs", title, "ok", f"in {namespace}")


def _repo(
    key: str, title: str, repo: str, record: ModelRecord | DatasetRecord | None, known: Facts, waiting: bool
) -> Check:
    if waiting:
        return Check(key, title, "wait", "asking the Hub")
    if error := known.problems.get(key):
        return _told(key, title, error)
    if record is None:
        return Check(key, title, "wait", f"{repo} was not looked at")
    licence = f", licence {record.licence}" if record.licence else ", no licence given"
    gated = ", gated, access granted" if record.gated != "no" else ""
    return Check(key, title, "ok", f"{record.id}{gated}{licence}")


def _dataset_check(recipe: Recipe, known: Facts, settings: Settings, waiting: bool) -> Check:
    if known.local_dataset and "dataset" not in known.problems:
        if settings.compute == "here":
            return Check("dataset", "dataset", "ok", f"{recipe.dataset.id} on this machine")
        mend = "Upload it: `hf upload --repo-type dataset NAME FILE`, then choose that repo."
        return Check("dataset", "dataset", "fail", f"{recipe.dataset.id} is a file here, which a job cannot read", mend)
    return _repo("dataset", "dataset", recipe.dataset.id, known.dataset, known, waiting)


def _rows(lengths: LengthSample | None) -> Check | None:
    """Rows that this model cannot be trained on with this mapping (no target, a role its template refuses)."""
    if lengths is None:
        return None
    seen = len(lengths.lengths) + lengths.skipped
    if not lengths.skipped:
        return Check("rows", "rows", "ok", f"all {seen} rows read can be trained on")
    text = f"{lengths.skipped} of {seen} rows read would be left out of the training"
    mend = "Look at them in Datasets: another model's template, or another mapping, may take them."
    return Check("rows", "rows", "fail" if lengths.skipped == seen else "warn", text, mend)


def _mapping(recipe: Recipe, verdict: str, reason: str) -> Check:
    title = "columns mapped"
    said = verdict.replace("_", " ").upper()
    if said == "INCOMPATIBLE":
        text = reason or f"these columns cannot train {recipe.method}"
        return Check("mapping", title, "fail", text, "Choose another method or dataset.")
    if recipe.mapping is None:
        if not said:
            return Check("mapping", title, "wait", "the rows were not looked at")
        return Check("mapping", title, "fail", "no mapping chosen", "Open the dataset and map its columns.")
    missing = recipe.mapping.missing()
    if missing:
        mend = "Open the dataset and give each a column."
        return Check("mapping", title, "fail", f"no column for {', '.join(missing)}", mend)
    roles = ", ".join(f"{source} → {role}" for role, source in recipe.mapping.columns.items())
    return Check("mapping", title, "ok", f"{recipe.mapping.shape}: {roles}")


def _fit(recipe: Recipe, estimate: FlavorEstimate | None) -> Check:
    title = "fits"
    if estimate is None:
        return Check(
            "fits", title, "warn", f"{recipe.job.flavor} is not on the price list", "Choose a flavor from the list."
        )
    need = f"{estimate.memory.total:.1f} of {estimate.memory.usable:.1f} GiB on {estimate.flavor.name}"
    if estimate.fits == "no":
        return Check("fits", title, "fail", f"{estimate.flavor.name}: {estimate.why}", estimate.mend)
    if estimate.fits == "tight":
        return Check("fits", title, "warn", f"tight: {need}", estimate.mend)
    return Check("fits", title, "ok", need)


def _timeout(recipe: Recipe, estimate: FlavorEstimate | None) -> Check:
    title = "timeout"
    given = recipe.job.timeout_minutes
    if estimate is None or not any(estimate.hours):
        return Check("timeout", title, "wait", f"{given} min; how long the run takes is not known")
    low, high = (hours * 60.0 for hours in estimate.hours)
    text = f"{format_hours(given / 60)} for a run of {format_hours(low / 60)} to {format_hours(high / 60)}"
    mend = f"Set job.timeout_minutes to {enough_minutes(estimate)}."
    if given < low:
        return Check("timeout", title, "fail", text, mend)
    if given < high:
        return Check("timeout", title, "warn", text, mend)
    return Check("timeout", title, "ok", text)


def enough_minutes(estimate: FlavorEstimate) -> int:
    """A timeout that covers the upper end of the estimate with a margin, in whole quarters of an hour."""
    return max(15, math.ceil(estimate.hours[1] * 60.0 * _MARGIN / 15.0) * 15)


def _cap(recipe: Recipe, settings: Settings, estimate: FlavorEstimate | None) -> Check:
    title = "cap of this run"
    cap = recipe.job.cap_usd or settings.cap_run_usd
    if estimate is None:
        return Check("cap", title, "wait", "the price is not known")
    most = worst_case(estimate.flavor, recipe.job.timeout_minutes * 60.0)
    text = f"at most {format_usd(most)}, when the timeout stops it"
    if settings.place != "hub":
        return Check("cap", title, "ok", f"nothing is billed here; on Hugging Face: {text}")
    if not cap:
        return Check("cap", title, "warn", f"{text}; no cap set", "Set job.cap_usd.")
    text = f"{text}; the cap is {format_usd(cap)}"
    if most <= cap:
        return Check("cap", title, "ok", text)
    # The longest timeout that the cap pays for, in whole minutes.
    minutes = int(cap / estimate.flavor.usd_per_hour * 60.0 + 1e-9) if estimate.flavor.usd_per_hour else 0
    raised = f"raise job.cap_usd to {math.ceil(most * 100) / 100:.2f}"
    if minutes >= 1 and minutes >= estimate.hours[1] * 60.0:
        return Check("cap", title, "fail", text, f"Set job.timeout_minutes to {minutes}, or {raised}.")
    return Check("cap", title, "fail", text, f"Take a cheaper flavor, or {raised}.")


def _month(recipe: Recipe, settings: Settings, estimate: FlavorEstimate | None, spent: float) -> Check | None:
    """Only where a monthly cap is set."""
    title = "cap of the month"
    cap = settings.cap_month_usd
    if not cap or settings.place != "hub":
        return None
    if estimate is None:
        return Check("month", title, "wait", "the price is not known")
    most = spent + worst_case(estimate.flavor, recipe.job.timeout_minutes * 60.0)
    text = f"{format_usd(spent)} spent, {format_usd(most)} if this run uses its whole timeout; cap {format_usd(cap)}"
    if most <= cap:
        return Check("month", title, "ok", text)
    if spent + estimate.usd[1] <= cap:
        return Check("month", title, "warn", text, "Shorten the timeout.")
    return Check("month", title, "fail", text, "Take a cheaper flavor, or raise cap_month_usd in the settings.")


def _push(recipe: Recipe, known: Facts, settings: Settings, waiting: bool) -> Check:
    from workbench.hub.access import may

    title = "push target"
    if waiting:
        return Check("output", title, "wait", "asking the Hub")
    if error := known.problems.get("output"):
        return _told("output", title, error)
    if known.identity is None or not known.output_repo:
        return Check("output", title, "wait", "needs an account")
    owner = known.output_repo.split("/", 1)[0]
    if owner not in (known.identity.name, *known.identity.orgs):
        return Check("output", title, "fail", f"{owner} is not your account", "Change output.repo.")
    if may(known.identity, "repo.write", owner) is False:
        mend = "Make a token with write rights, then `hf auth login`."
        return Check("output", title, "fail", f"the token may not write to {owner}", mend)
    if known.output == "exists":
        return Check("output", title, "warn", f"{known.output_repo} exists: a new commit is added to it")
    seen = "private" if recipe.output.private else "public"
    return Check("output", title, "ok", f"{known.output_repo} ({seen}) will be made")
