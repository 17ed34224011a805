"""The Jobs routes (hub-contract §2). What a job is lies in jobstore.py; its streams in sse.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workbench.local import sse
from workbench.local.files import parse_iso
from workbench.local.identity import account_id
from workbench.local.jobspec import read_labels, read_spec
from workbench.local.jobstore import Job, JobStore, SecretsGoneError
from workbench.local.wire import Refusal, config_of, decode_cursor, json_body, next_link, number, path_param

PAGE = 100


def store_of(request: Request) -> JobStore:
    store: JobStore = request.app.state.jobs
    return store


def need_namespace(request: Request, *, write: bool = False) -> str:
    """The namespace in the address, which must be this server's account (hub-contract §2.5)."""
    account = config_of(request).account
    namespace = path_param(request, "ns")
    if namespace != account:
        if write:
            raise Refusal(403, f"You may not run jobs in the namespace {namespace[:100]!r}; yours is {account!r}.")
        raise Refusal(404, f"Namespace not found: {namespace[:100]}")
    return account


def named_job(request: Request) -> Job:
    need_namespace(request)
    job_id = path_param(request, "id")
    try:
        return store_of(request).job(job_id)
    except KeyError as error:
        raise Refusal(404, f"Job not found: {job_id[:100]}") from error


def wire(request: Request, job: Job) -> dict[str, Any]:
    """A job as the Jobs API reports it (hub-contract §2.3)."""
    spec, status = job.spec, job.status
    account = config_of(request).account
    owner = {"id": account_id(account), "name": account, "type": "user"}
    initiator = dict(job.record["initiator"])
    return {
        "type": "job",
        "id": job.id,
        "createdAt": job.record["createdAt"],
        "startedAt": status.get("startedAt"),
        "finishedAt": status.get("finishedAt"),
        "updatedAt": status.get("updatedAt") or job.record["createdAt"],
        "dockerImage": spec.docker_image,
        "spaceId": spec.space_id,
        "command": spec.command,
        "arguments": spec.arguments,
        "environment": spec.environment,
        "secrets": spec.secret_names,
        "flavor": spec.flavor,
        "labels": dict(job.labels),
        "volumes": None,
        "timeoutSeconds": spec.timeout_seconds,
        "attempts": spec.attempts,
        "retry": spec.attempts - 1,
        "status": {"stage": job.stage, "message": status.get("message")},
        "durations": _durations(job),
        "owner": owner,
        "initiator": initiator if initiator["type"] != "user" else {"type": "user", **owner},
    }


def _durations(job: Job) -> dict[str, int | None]:
    created = parse_iso(job.record["createdAt"])
    started, finished = job.status.get("startedAt"), job.status.get("finishedAt")
    end = parse_iso(finished) if finished else datetime.now(UTC)

    def seconds(start: datetime, stop: datetime) -> int:
        return max(0, round((stop - start).total_seconds()))

    return {
        "schedulingSecs": seconds(created, parse_iso(started)) if started else None,
        "runningSecs": seconds(parse_iso(started), end) if started else None,
        "totalSecs": seconds(created, end),
    }


async def jobs(request: Request) -> Response:
    if request.method == "POST":
        body = await json_body(request)
        return await run_in_threadpool(_create, request, body)
    return await run_in_threadpool(_list, request)


def _create(request: Request, body: dict[str, Any]) -> Response:
    need_namespace(request, write=True)
    spec, secrets, labels = read_spec(body, config_of(request).default_timeout)
    return JSONResponse(wire(request, store_of(request).start(spec, secrets, labels, {"type": "user"})))


def _list(request: Request) -> Response:
    need_namespace(request)
    stages = {stage.upper() for stage in request.query_params.getlist("stage")}
    labels = [tuple(label.partition("=")[::2]) for label in request.query_params.getlist("label")]
    text = request.query_params.get("cursor")
    before = decode_cursor(text) if text else None
    found = [
        job
        for job in store_of(request).jobs()
        if (not stages or job.stage in stages)
        and all(job.labels.get(key) == value for key, value in labels)
        and (before is None or [job.record["createdAt"], job.id] < before)
    ]
    shown = found[: min(number(request, "limit", PAGE, least=1) or PAGE, PAGE)]
    cursor = [shown[-1].record["createdAt"], shown[-1].id] if len(found) > len(shown) else None
    answer = [wire(request, job) for job in shown]
    return JSONResponse(answer, headers=next_link(request, cursor) if cursor else None)


def inspect(request: Request) -> Response:
    return JSONResponse(wire(request, named_job(request)))


def cancel(request: Request) -> Response:
    job = named_job(request)
    store_of(request).cancel(job)
    return JSONResponse(wire(request, job))


def duplicate(request: Request) -> Response:
    job = named_job(request)
    try:
        return JSONResponse(wire(request, store_of(request).duplicate(job)))
    except SecretsGoneError as error:
        raise Refusal(
            409, f"The secrets of this job ({error}) were deleted when it ended; submit it again with them."
        ) from error


async def labels(request: Request) -> Response:
    wanted = read_labels((await json_body(request)).get("labels"))
    job = await run_in_threadpool(named_job, request)
    await run_in_threadpool(store_of(request).set_labels, job, wanted)
    return JSONResponse(wire(request, store_of(request).job(job.id)))


def expose(request: Request) -> Response:
    named_job(request)
    raise Refusal(400, "Ports are not exposed here; a job on this machine can listen on loopback itself.")


async def logs(request: Request) -> Response:
    job = await run_in_threadpool(named_job, request)
    tail = number(request, "tail", None)
    return sse.log_stream(request, store_of(request), job, tail, config_of(request).keepalive_seconds)


async def metrics(request: Request) -> Response:
    job = await run_in_threadpool(named_job, request)
    if job.terminal:
        raise Refusal(406, "The job has ended; it has no metrics any more.")
    return sse.metric_stream(request, store_of(request), job)


_JOB = "/api/jobs/{ns}/{id}"
ROUTES = [
    Route("/api/jobs/{ns}", jobs, methods=["GET", "POST"]),
    Route(_JOB, inspect),
    Route(_JOB + "/cancel", cancel, methods=["POST"]),
    Route(_JOB + "/duplicate", duplicate, methods=["POST"]),
    Route(_JOB + "/labels", labels, methods=["PUT"]),
    Route(_JOB + "/expose", expose, methods=["PUT"]),
    Route(_JOB + "/logs", logs),
    Route(_JOB + "/metrics", metrics),
]
