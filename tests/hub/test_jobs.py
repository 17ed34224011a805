"""Jobs through the real client against the real local server, and the wire format's odd corners."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from workbench.errors import HubError, NotFoundError
from workbench.hub.access import whoami
from workbench.hub.client import Hub
from workbench.hub.jobs import (
    JobSpec,
    cancel_job,
    duplicate_job,
    flavor_from_wire,
    inspect_job,
    job_from_wire,
    label_value,
    list_hardware,
    list_jobs,
    set_labels,
    submit_job,
)
from workbench.hub.records import JobRecord
from workbench.settings import Settings


def spec(hub: Hub, script: str, **changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "image": "python:3.12",
        "command": ("bash", "-c", script),
        "flavor": "cpu-basic",
        "namespace": hub.namespace(),
        "timeout_seconds": 600,
        "labels": {"name": "a-test"},
    }
    return JobSpec(**{**values, **changes})


def wait_for_end(hub: Hub, job_id: str) -> JobRecord:
    while not (job := inspect_job(hub, job_id)).terminal:
        time.sleep(0.05)
    return job


def test_a_job_is_started_seen_and_ended(hub: Hub) -> None:
    job = submit_job(hub, spec(hub, "echo hello", env={"A": "1"}, secrets={"S": "s3cret"}))
    assert job.stage in ("SCHEDULING", "RUNNING")
    assert job.namespace == hub.namespace()
    assert job.id in [one.id for one in list_jobs(hub)]
    ended = wait_for_end(hub, job.id)
    assert ended.stage == "COMPLETED"
    assert ended.timeout_seconds == 600, "the client drops it, we must not"
    assert ended.command == ("bash", "-c", "echo hello")
    assert ended.started is not None and ended.finished is not None and ended.started <= ended.finished
    assert ended.labels["name"] == "a-test"
    assert ended.url.endswith(f"/jobs/{job.namespace}/{job.id}")


def test_cancel_relabel_and_duplicate(hub: Hub) -> None:
    job = submit_job(hub, spec(hub, "sleep 600", labels={"name": "long", "kind": "sleeper"}))
    assert [one.id for one in list_jobs(hub, labels={"kind": "sleeper"})] == [job.id]
    assert set_labels(hub, job.id, {"name": "renamed"}).labels == {"name": "renamed"}
    cancel_job(hub, job.id)
    assert wait_for_end(hub, job.id).stage == "CANCELED"
    assert job.id in [one.id for one in list_jobs(hub, stages=("canceled",))]
    assert job.id not in [one.id for one in list_jobs(hub, stages=("RUNNING",))]
    again = duplicate_job(hub, job.id)
    assert again.id != job.id
    assert again.command == job.command
    cancel_job(hub, again.id)
    wait_for_end(hub, again.id)


def test_unknown_jobs_and_strange_ids_get_a_sentence(hub: Hub) -> None:
    with pytest.raises(NotFoundError) as caught:
        inspect_job(hub, "0" * 24)
    assert "0" * 24 in caught.value.sentence()
    with pytest.raises(HubError, match="no job id"):
        inspect_job(hub, "../../whoami-v2")


def test_the_price_list_is_the_real_one(hub: Hub) -> None:
    flavors = {flavor.name: flavor for flavor in list_hardware(hub)}
    small = flavors["a10g-small"]
    assert (small.gpus, small.vram_gb, small.usd_per_hour) == (1, 24.0, 1.0)
    assert flavors["cpu-basic"].gpus == 0
    assert flavors["cpu-basic"].usd_per_hour == 0.01


def test_whoami_names_the_account(hub: Hub) -> None:
    me = whoami(hub)
    assert me.name == hub.namespace()


def test_several_cards_show_one_card_s_memory() -> None:
    wire = {
        "name": "a100x4",
        "prettyName": "4x A100",
        "cpu": "48 vCPU",
        "ram": "568 GB",
        "ephemeralStorage": "1.5 TB",
        "accelerator": {"type": "gpu", "model": "A100", "quantity": "4", "vram": "320 GB", "manufacturer": "Nvidia"},
        "unitCostMicroUSD": 166667,
        "unitCostUSD": 0.166667,
        "unitLabel": "minute",
    }
    flavor = flavor_from_wire(wire)
    assert (flavor.gpus, flavor.vram_gb, flavor.vcpu, flavor.disk_gb) == (4, 80.0, 48, 1500.0)
    assert flavor.usd_per_hour == 10.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-12T14:57:43Z", datetime(2026, 5, 12, 14, 57, 43, tzinfo=UTC)),
        ("2026-05-12T14:57:43.123456789Z", datetime(2026, 5, 12, 14, 57, 43, 123456, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (17, None),
    ],
)
def test_times_of_any_precision(value: Any, expected: datetime | None) -> None:
    wire = {"id": "1", "status": {"stage": "RUNNING"}, "startedAt": value}
    assert job_from_wire(wire, endpoint="").started == expected


@pytest.mark.parametrize(
    "data", [None, [], {}, {"id": "1"}, {"id": "1", "status": {}}, {"id": "", "status": {"stage": "R"}}]
)
def test_what_is_no_job_is_said_so(data: Any) -> None:
    with pytest.raises(HubError, match="not what a Hub says"):
        job_from_wire(data, endpoint="")


def test_labels_are_made_fit_for_the_hub() -> None:
    assert label_value("unsloth/Llama-3.2 1B (instruct)") == "unsloth-Llama-3-2-1B-instruct"
    assert len(label_value("x" * 300)) == 100
    assert label_value("…") == "none"


class _Scripted(BaseHTTPRequestHandler):
    """Answers every request with (status, headers, body) from `script`, a function of method and path."""

    script: ClassVar[Any] = None

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        status, headers, body = type(self).script(self.command, self.path)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def scripted(script: Any) -> Iterator[Hub]:
    handler = type("Handler", (_Scripted,), {"script": staticmethod(script)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Hub(Settings(endpoint=url, jobs_endpoint=url, token="t", jobs_token="t", namespace="alice"))
    finally:
        server.shutdown()
        server.server_close()


def wire_job(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:024x}",
        "status": {"stage": "RUNNING"},
        "owner": {"id": "1", "name": "alice", "type": "user"},
    }


def test_pages_are_followed_up_to_the_limit() -> None:
    asked: list[str] = []

    def script(_: str, path: str) -> tuple[int, dict[str, str], Any]:
        asked.append(path)
        page = int(path.rsplit("cursor=", 1)[1]) if "cursor=" in path else 0
        link = (
            {"link": f'<{hub.settings.jobs_endpoint}/api/jobs/alice?cursor={page + 1}>; rel="next"'} if page < 9 else {}
        )
        return 200, link, [wire_job(page * 10 + number) for number in range(10)]

    with scripted(script) as hub:
        assert len(list_jobs(hub, stages=("running",), labels={"a": "b"})) == 100
        assert len(list_jobs(hub, limit=25)) == 25
    assert asked[0] == "/api/jobs/alice?stage=RUNNING&label=a%3Db"
    assert len(asked) == 10 + 3


def test_the_token_does_not_follow_a_link_to_another_server() -> None:
    def script(_: str, path: str) -> tuple[int, dict[str, str], Any]:
        return 200, {"link": '<http://127.0.0.1:1/api/jobs/alice?cursor=1>; rel="next"'}, [wire_job(1)]

    with scripted(script) as hub, pytest.raises(HubError, match="another server"):
        list_jobs(hub)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, "no credits for paid compute in alice"),
        (401, "not signed in"),
        (403, "token lacks job.write"),
        (429, "slow down"),
        (500, "server failed (500)"),
    ],
)
def test_a_refused_submission_says_why(status: int, said: str) -> None:
    asked: list[str] = []

    def script(method: str, path: str) -> tuple[int, dict[str, str], Any]:
        asked.append(f"{method} {path}")
        return status, {}, {"error": "token lacks job.write"}

    with scripted(script) as hub, pytest.raises(HubError) as caught:
        submit_job(hub, spec(hub, "true"))
    assert said in caught.value.sentence()
    assert caught.value.status == status
    assert asked == ["POST /api/jobs/alice"], "one request, and never whoami"


def test_an_answer_that_is_no_json_gets_a_sentence() -> None:
    with scripted(lambda *_: (200, {}, b"<html>hello</html>")) as hub:
        with pytest.raises(HubError, match="not what a Hub says"):
            list_jobs(hub)
        with pytest.raises(HubError, match="not what a Hub says"):
            list_hardware(hub)


def test_secrets_do_not_show(hub: Hub) -> None:
    assert "s3cret" not in repr(spec(hub, "true", secrets={"S": "s3cret"}))
