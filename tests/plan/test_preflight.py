"""The checks before a submit: each verdict, and that every refusal says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.plan.making import lengths, mapped, recipe, writer
from tests.plan.models import anatomy
from workbench.errors import GatedError, HubError
from workbench.hub.records import DatasetRecord, Identity, ModelRecord
from workbench.plan.frontier import FlavorEstimate, frontier
from workbench.plan.hardware import bundled_flavors
from workbench.plan.preflight import Check, Facts, blocking, enough_minutes, preflight
from workbench.plan.recipe import Recipe
from workbench.settings import Settings

SETTINGS = Settings(cap_run_usd=20.0)
GOOD = Facts(
    identity=writer(),
    model=ModelRecord("owner/model", licence="apache-2.0"),
    dataset=DatasetRecord("owner/data"),
    output_repo="ada/model-data-lora",
    output="new",
)


def usual(**changes: object) -> Recipe:
    return mapped(recipe(**({"job__timeout_minutes": 600} | changes)))


def estimate(made: Recipe, model: str = "Llama-3.1-8B") -> FlavorEstimate | None:
    return frontier(made, anatomy(model), lengths(rows=2000), bundled_flavors()).row(made.job.flavor)


def checked(made: Recipe | None = None, facts: Facts | None = GOOD, settings: Settings = SETTINGS, **more: object
            ) -> dict[str, Check]:  # fmt: skip
    made = made or usual()
    more = {"mapping_verdict": "READY", "estimate": estimate(made)} | more
    checks = preflight(made, settings=settings, facts=facts, **more)  # type: ignore[arg-type]
    assert len({check.key for check in checks}) == len(checks)
    for check in checks:
        assert check.text
        assert check.mend or check.verdict != "fail", check
    return {check.key: check for check in checks}


def test_all_is_well() -> None:
    checks = checked()
    assert {key: check.verdict for key, check in checks.items() if check.verdict != "ok"} == {}
    assert blocking(tuple(checks.values())) == ()
    assert "licence apache-2.0" in checks["model"].text
    assert "no licence given" in checks["dataset"].text


def test_before_the_hub_has_answered_its_checks_wait() -> None:
    checks = checked(facts=None)
    waiting = {key for key, check in checks.items() if check.verdict == "wait"}
    assert waiting == {"account", "jobs", "model", "dataset", "output"}


def test_not_signed_in() -> None:
    refused = HubError(
        "not signed in, or the token is no longer valid", where="signing in", mend="Run `hf auth login`."
    )
    checks = checked(facts=replace(GOOD, identity=None, problems={"identity": refused}))
    assert checks["account"].verdict == "fail"
    assert checks["account"].mend == "Run `hf auth login`."
    assert checks["jobs"].verdict == "wait"


@pytest.mark.parametrize(
    ("identity", "verdict"),
    [
        (writer(), "ok"),
        (Identity("ada", role="read", can_pay=True), "fail"),
        (Identity("ada", role="", can_pay=True), "warn"),
        (Identity("ada", role="write", can_pay=False), "warn"),
        (Identity("ada", role="fineGrained", can_pay=True, scopes=("ada:job.write", "ada:repo.write")), "ok"),
        (Identity("ada", role="fineGrained", can_pay=True, scopes=("ada:repo.write",)), "fail"),
    ],
)
def test_the_token_must_be_allowed_to_start_jobs(identity: Identity, verdict: str) -> None:
    assert checked(facts=replace(GOOD, identity=identity))["jobs"].verdict == verdict


def test_a_token_that_may_start_jobs_but_not_push() -> None:
    half = Identity("ada", role="fineGrained", can_pay=True, scopes=("ada:job.write",))
    checks = checked(facts=replace(GOOD, identity=half))
    assert (checks["jobs"].verdict, checks["output"].verdict) == ("ok", "fail")


def test_an_organisation_pays_only_for_its_members() -> None:
    assert checked(usual(job__namespace="acme"))["jobs"].verdict == "ok"
    stranger = checked(usual(job__namespace="others"))["jobs"]
    assert stranger.verdict == "fail"
    assert "others" in stranger.text


def test_a_gated_model_without_access() -> None:
    gated = GatedError("this repo is gated and your account has no access yet", where="owner/model",
                       mend="Accept its terms on its Hub page, then try again.", status=403)  # fmt: skip
    check = checked(facts=replace(GOOD, model=None, problems={"model": gated}))["model"]
    assert (check.verdict, check.mend) == ("fail", gated.mend)
    granted = checked(facts=replace(GOOD, model=ModelRecord("owner/model", gated="manual")))["model"]
    assert granted.verdict == "ok"
    assert "access granted" in granted.text


def test_a_local_file_cannot_be_read_by_a_job_elsewhere() -> None:
    local = replace(GOOD, dataset=None, local_dataset=True)
    assert checked(facts=local)["dataset"].verdict == "fail"
    assert checked(facts=local, settings=SETTINGS.with_(compute="here"))["dataset"].verdict == "ok"


def test_the_mapping() -> None:
    assert checked()["mapping"].verdict == "ok"
    bare = recipe(job__timeout_minutes=600)
    assert checked(bare, mapping_verdict="")["mapping"].verdict == "wait"
    assert checked(bare, mapping_verdict="NEEDS MAPPING")["mapping"].verdict == "fail"
    for word in ("INCOMPATIBLE", "incompatible"):
        check = checked(mapping_verdict=word, mapping_reason="no column holds a conversation")["mapping"]
        assert (check.verdict, check.text) == ("fail", "no column holds a conversation")
    partial = usual().changed("mapping", {"shape": "preference", "columns": {"chosen": "good"}})
    check = checked(partial)["mapping"]
    assert check.verdict == "fail"
    assert "rejected" in check.text


def test_a_flavor_that_is_too_small() -> None:
    made = usual(training__quantization="none", job__flavor="t4-small")
    check = checked(made)["fits"]
    assert check.verdict == "fail"
    assert check.mend == "Load in 4bit."


def test_a_flavor_that_is_tight() -> None:
    made = usual(training__quantization="none", job__flavor="h200", training__max_length=4096)
    check = checked(made, estimate=estimate(made, "Llama-3.3-70B"))["fits"]
    assert check.verdict == "warn"


def test_a_flavor_that_is_not_on_the_list() -> None:
    checks = checked(usual(job__flavor="zzz-1"))
    assert checks["fits"].verdict == "warn"
    assert checks["cap"].verdict == "wait"


def test_the_timeout_must_cover_the_upper_end() -> None:
    made = usual()
    needed = estimate(made)
    assert needed is not None
    low, high = (hours * 60 for hours in needed.hours)
    assert checked(made.changed("job.timeout_minutes", int(high) + 1))["timeout"].verdict == "ok"
    between = checked(made.changed("job.timeout_minutes", int((low + high) / 2)))["timeout"]
    assert between.verdict == "warn"
    short = checked(made.changed("job.timeout_minutes", max(1, int(low / 2))))["timeout"]
    assert short.verdict == "fail"
    # What the mend proposes is enough.
    assert short.mend == f"Set job.timeout_minutes to {enough_minutes(needed)}."
    assert checked(made.changed("job.timeout_minutes", enough_minutes(needed)))["timeout"].verdict == "ok"


def test_the_cap_must_cover_the_whole_timeout() -> None:
    made = usual(job__flavor="a100-large", job__cap_usd=25.0)
    assert checked(made)["cap"].verdict == "ok"  # 600 min × $2.50/h = $25
    check = checked(made.changed("job.cap_usd", 24.0))["cap"]
    assert check.verdict == "fail"
    assert "$25.00" in check.text
    assert "Set job.timeout_minutes to 576" in check.mend
    assert checked(made.changed("job.cap_usd", 24.0).changed("job.timeout_minutes", 576))["cap"].verdict == "ok"


def test_the_settings_cap_counts_where_the_recipe_has_none() -> None:
    made = usual(job__flavor="a100x8")
    assert checked(made)["cap"].verdict == "fail"
    assert checked(made, settings=SETTINGS.with_(cap_run_usd=500.0))["cap"].verdict == "ok"
    assert checked(made, settings=SETTINGS.with_(cap_run_usd=0.0))["cap"].verdict == "warn"


def test_nothing_is_billed_in_the_demo_or_on_this_machine() -> None:
    made = usual(job__flavor="a100x8")
    for settings in (SETTINGS.with_(demo=True), SETTINGS.with_(compute="here")):
        check = checked(made, settings=settings)["cap"]
        assert check.verdict == "ok"
        assert "nothing is billed" in check.text


def test_the_month() -> None:
    monthly = SETTINGS.with_(cap_month_usd=30.0)
    made = usual(job__flavor="a100-large", job__timeout_minutes=240, job__cap_usd=50.0)  # at most $10
    assert "month" not in checked(made)
    assert checked(made, settings=monthly, spent_month=19.0)["month"].verdict == "ok"
    assert checked(made, settings=monthly, spent_month=21.0)["month"].verdict == "warn"
    assert checked(made, settings=monthly, spent_month=29.9)["month"].verdict == "fail"


def test_the_push_target() -> None:
    assert checked()["output"].verdict == "ok"
    assert checked(facts=replace(GOOD, output="exists"))["output"].verdict == "warn"
    assert checked(facts=replace(GOOD, output_repo="others/thing"))["output"].verdict == "fail"
    assert checked(facts=replace(GOOD, output_repo="acme/thing"))["output"].verdict == "ok"
    down = HubError("the server cannot be reached", where="ada/x", mend="Check the network and HF_ENDPOINT.")
    assert checked(facts=replace(GOOD, problems={"output": down}))["output"].mend == down.mend


def test_rows_that_the_model_refuses_are_counted_before_anything_is_paid() -> None:
    from workbench.data.lengths import LengthSample
    from workbench.plan.preflight import _rows

    few = _rows(LengthSample(lengths=(10,) * 13, trained=(5,) * 13, total_rows=640, skipped=87))
    assert few is not None
    assert few.verdict == "warn"
    assert "87 of 100 rows" in few.text
    none = _rows(LengthSample(lengths=(), trained=(), total_rows=640, skipped=100))
    assert none is not None
    assert none.verdict == "fail"
    assert _rows(None) is None
