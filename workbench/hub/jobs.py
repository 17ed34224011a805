"""Jobs: list, look at, start, stop, copy and relabel them, and the price list (hub-contract §2).

Starting goes through `HfApi.run_job`; the rest reads the raw JSON on the client's own session, because `JobInfo` drops
`timeoutSeconds`, and the client's paging retries a silent server for minutes. The namespace is always given: without it
the client asks `whoami-v2`, which is rate limited hard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workbench.errors import HubError
from workbench.hub.client import Hub, hub_errors
from workbench.hub.records import Flavor, JobRecord

if TYPE_CHECKING:
    import httpx2

# The Hub takes labels of these characters and at most this length (hub-contract §2.2).
LABEL_LENGTH = 100
_NOT_LABEL = re.compile(r"[^A-Za-z0-9_-]+")
_JOB_ID = re.compile(r"^[A-Za-z0-9_-]{1,128}$")


@dataclass(frozen=True)
class JobSpec:
    """A job to start. `secrets` is never shown; `timeout_seconds` 0 = the server's default (30 minutes)."""

    image: str
    command: tuple[str, ...]
    flavor: str
    namespace: str
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


def list_jobs(
    hub: Hub,
    *,
    stages: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    limit: int = 500,
    namespace: str | None = None,
) -> list[JobRecord]:
    """Jobs of the account, as the Hub orders them (newest first), at most `limit`.

    Args:
        stages: only these stages; none = all.
        labels: only jobs that carry all of these.
        namespace: another account than the one jobs are billed to.
    """
    owner = namespace or hub.namespace()
    params: list[tuple[str, str]] = [("stage", stage.upper()) for stage in stages]
    params += [("label", f"{key}={value}") for key, value in (labels or {}).items()]
    found: list[JobRecord] = []
    for page in _pages(hub, f"/api/jobs/{owner}", params, where=f"jobs of {owner}"):
        found += [job_from_wire(item, endpoint=hub.settings.jobs_endpoint) for item in page]
        if len(found) >= limit:
            break
    return found[:limit]


def inspect_job(hub: Hub, job_id: str, *, namespace: str | None = None) -> JobRecord:
    """One job as it is now.

    Raises:
        NotFoundError: no such job under this account.
    """
    return _job(hub, "GET", job_id, namespace=namespace)


def cancel_job(hub: Hub, job_id: str, *, namespace: str | None = None) -> None:
    """Ask for the job to be stopped. It is stopped when its stage says CANCELED."""
    _request(hub, "POST", f"{_path(hub, job_id, namespace)}/cancel", where=f"job {job_id}")


def duplicate_job(hub: Hub, job_id: str, *, namespace: str | None = None) -> JobRecord:
    """Start the same job again; the new one is returned. It costs what the first one cost."""
    return _job(hub, "POST", job_id, "/duplicate", namespace=namespace)


def set_labels(hub: Hub, job_id: str, labels: Mapping[str, str], *, namespace: str | None = None) -> JobRecord:
    """Replace all labels of a job."""
    return _job(hub, "PUT", job_id, "/labels", namespace=namespace, json={"labels": dict(labels)})


def list_hardware(hub: Hub) -> tuple[Flavor, ...]:
    """Every flavor with today's price, in the Hub's order."""
    where = "price list"
    answer = _json(_request(hub, "GET", "/api/jobs/hardware", where=where), where)
    if not isinstance(answer, list):
        raise _strange(where)
    return tuple(flavor_from_wire(item) for item in answer)


def submit_job(hub: Hub, spec: JobSpec) -> JobRecord:
    """Start a job: one POST through `HfApi.run_job`, never repeated by us (a second one would cost twice).

    Raises:
        HubError: refused, with the reason (402 = no credits), or no answer came (`status` 0): then the job may run
            all the same; ask `list_jobs` for its labels.
    """
    try:
        with hub_errors(f"starting a job on {spec.flavor}"):
            info = hub.jobs_api.run_job(
                image=spec.image,
                command=list(spec.command),
                env=dict(spec.env),
                secrets=dict(spec.secrets) or None,
                flavor=spec.flavor,
                timeout=spec.timeout_seconds or None,
                labels=dict(spec.labels),
                namespace=spec.namespace,
            )
    except HubError as error:
        if error.status == 402:
            raise HubError(
                f"there are no credits for paid compute in {spec.namespace}",
                where=error.where,
                mend="Add credits under Billing, or choose another namespace.",
                status=402,
            ) from error
        raise
    return JobRecord(
        id=info.id,
        namespace=info.owner.name or spec.namespace,
        stage=str(getattr(info.status.stage, "value", info.status.stage)),
        message=info.status.message or "",
        created=info.created_at,
        started=info.started_at,
        finished=info.finished_at,
        flavor=str(getattr(info.flavor, "value", info.flavor) or spec.flavor),
        image=info.docker_image or info.space_id or spec.image,
        command=tuple(info.command or spec.command),
        labels=dict(info.labels or spec.labels),
        timeout_seconds=spec.timeout_seconds or None,
        url=info.url,
    )


def label_value(text: str) -> str:
    """`text` as the Hub takes a label: other characters become "-", at most 100 of them, never empty."""
    return _NOT_LABEL.sub("-", text).strip("-")[:LABEL_LENGTH].strip("-") or "none"


def job_from_wire(data: Any, *, endpoint: str) -> JobRecord:
    """One job of the Jobs API's JSON (hub-contract §2.3); what is missing stays empty.

    Raises:
        HubError: it is no job: no id or no stage.
    """
    status = data.get("status") if isinstance(data, dict) else None
    if not isinstance(status, dict) or not data.get("id") or not status.get("stage"):
        raise _strange("a job")
    owner = data.get("owner") or {}
    labels = data.get("labels") or {}
    timeout = data.get("timeoutSeconds")
    name = str(owner.get("name") or "")
    return JobRecord(
        id=str(data["id"]),
        namespace=name,
        stage=str(status["stage"]),
        message=str(status.get("message") or ""),
        created=_time(data.get("createdAt")),
        started=_time(data.get("startedAt")),
        finished=_time(data.get("finishedAt")),
        flavor=str(data.get("flavor") or ""),
        image=str(data.get("dockerImage") or data.get("spaceId") or ""),
        command=tuple(str(part) for part in [*(data.get("command") or ()), *(data.get("arguments") or ())]),
        labels={str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {},
        timeout_seconds=int(timeout) if isinstance(timeout, int | float) and timeout > 0 else None,
        url=f"{endpoint}/jobs/{name}/{data['id']}",
    )


def flavor_from_wire(data: Any) -> Flavor:
    """One entry of the price list (hub-contract §2.4); `vram` there is all its cards' together."""
    if not isinstance(data, dict) or not data.get("name"):
        raise _strange("price list")
    card = data.get("accelerator") or {}
    gpus = int(_number(card.get("quantity")))
    per = {"second": 3600.0, "minute": 60.0, "hour": 1.0, "day": 1 / 24}.get(str(data.get("unitLabel")), 60.0)
    return Flavor(
        name=str(data["name"]),
        pretty=str(data.get("prettyName") or data["name"]),
        gpu=str(card.get("model") or ""),
        gpus=gpus,
        vram_gb=_gigabytes(card.get("vram")) / max(1, gpus),
        vcpu=int(_number(data.get("cpu"))),
        ram_gb=_gigabytes(data.get("ram")),
        disk_gb=_gigabytes(data.get("ephemeralStorage")),
        # The rounded unit price is off by up to 0.3 % against the list; micro-dollars are exact to 0.01 %.
        usd_per_hour=round(_unit_price(data) * per, 4),
    )


def _unit_price(data: Mapping[str, Any]) -> float:
    micro = data.get("unitCostMicroUSD")
    if isinstance(micro, int | float) and micro > 0:
        return float(micro) / 1e6
    return _number(data.get("unitCostUSD"))


def _job(hub: Hub, method: str, job_id: str, tail: str = "", *, namespace: str | None, json: Any = None) -> JobRecord:
    where = f"job {job_id}"
    response = _request(hub, method, f"{_path(hub, job_id, namespace)}{tail}", where=where, json=json)
    return job_from_wire(_json(response, where), endpoint=hub.settings.jobs_endpoint)


def _path(hub: Hub, job_id: str, namespace: str | None) -> str:
    # An id goes into a URL: "../x" must not reach another route.
    if not _JOB_ID.match(job_id):
        raise HubError("this is no job id", where=repr(job_id), mend="Ids are 24 hexadecimal digits.", status=404)
    return f"/api/jobs/{namespace or hub.namespace()}/{job_id}"


def _request(hub: Hub, method: str, path: str, *, where: str, params: Any = None, json: Any = None) -> httpx2.Response:
    headers = hub.headers(jobs=True)
    from huggingface_hub.utils import get_session, hf_raise_for_status

    url = path if "://" in path else f"{hub.settings.jobs_endpoint}{path}"
    with hub_errors(where):
        response = get_session().request(method, url, headers=headers, params=params, json=json)
        hf_raise_for_status(response)
        return response


def _pages(hub: Hub, path: str, params: list[tuple[str, str]], *, where: str) -> Iterator[list[Any]]:
    """The pages of a list, following `Link: <…>; rel="next"` – on this server only, for the token goes along."""
    origin = urlsplit(hub.settings.jobs_endpoint)[:2]
    url, query = path, params or None
    while True:
        response = _request(hub, "GET", url, where=where, params=query)
        page = _json(response, where)
        if not isinstance(page, list):
            raise _strange(where)
        yield page
        url, query = str(response.links.get("next", {}).get("url") or ""), None
        if not url:
            return
        if urlsplit(url)[:2] != origin:
            raise HubError("the list continues on another server", where=where, mend="Check HF_ENDPOINT.")


def _json(response: httpx2.Response, where: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise _strange(where) from error


def _strange(where: str) -> HubError:
    return HubError("the server's answer is not what a Hub says", where=where, mend="Check HF_ENDPOINT.")


def _time(value: Any) -> datetime | None:
    """ISO 8601 with "Z" and 0–9 digits of fraction → UTC; None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None


def _number(value: Any) -> float:
    """The first number in a value such as "4 vCPU", "8", 16.5 or None."""
    if isinstance(value, int | float):
        return float(value)
    found = re.search(r"\d+(?:\.\d+)?", str(value or "").replace(",", ""))
    return float(found.group()) if found else 0.0


def _gigabytes(value: Any) -> float:
    """ "15 GB", "1.5 TB", "512 MB" → GB."""
    scale = {"T": 1000.0, "M": 1e-3, "K": 1e-6}
    found = re.search(r"[\d.]+\s*([TGMK])i?B", str(value or ""), re.IGNORECASE)
    return _number(value) * (scale.get(found.group(1).upper(), 1.0) if found else 1.0)
