"""The Jobs API as the unmodified client uses it; every job is a real process."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.conftest import alive, raw, wait_until

if TYPE_CHECKING:
    from huggingface_hub import HfApi, JobInfo

    from workbench.local.serve import LocalServer

NS = "demo"


def run(api: HfApi, code: str, **more: Any) -> JobInfo:
    return api.run_job(image="python:3.12", command=[sys.executable, "-c", code], namespace=NS, **more)


def lines(api: HfApi, job: JobInfo, **more: Any) -> list[str]:
    return list(api.fetch_job_logs(job_id=job.id, namespace=NS, **more))


def end(api: HfApi, job: JobInfo) -> JobInfo:
    return api.wait_for_job(job_id=job.id, namespace=NS, timeout=90)


def test_a_job_runs_and_its_log_and_end_are_told(api: HfApi) -> None:
    job = run(api, "import os; print('hello', os.environ['WHO'])", env={"WHO": "world"}, labels={"team": "a-1"})
    assert job.status.stage == "SCHEDULING"
    assert job.owner.name == NS
    assert end(api, job).status.stage == "COMPLETED"
    assert lines(api, job) == ["hello world"]
    done = api.inspect_job(job_id=job.id, namespace=NS)
    assert done.created_at <= done.started_at <= done.finished_at
    assert done.environment == {"WHO": "world"}
    assert done.labels["team"] == "a-1"
    assert done.durations.total_secs is not None


def test_following_a_log_gives_lines_as_they_come(api: HfApi, tmp_path: Any) -> None:
    gate = tmp_path / "gate"
    job = run(
        api, f"import time, os\nprint('first')\nwhile not os.path.exists({str(gate)!r}): time.sleep(.02)\nprint('last')"
    )
    followed = iter(api.fetch_job_logs(job_id=job.id, namespace=NS, follow=True))
    assert next(followed) == "first"  # while the job still waits for us
    gate.touch()
    assert list(followed) == ["last"]


def test_a_log_without_follow_gives_what_is_there_and_returns(api: HfApi) -> None:
    job = run(api, "import time\nprint('there', flush=True)\ntime.sleep(600)")
    wait_until(lambda: b"there" in _log(api, job), "the line")
    assert lines(api, job, follow=False) == ["there"]
    api.cancel_job(job_id=job.id, namespace=NS)


def _log(api: HfApi, job: JobInfo) -> bytes:
    from tests.conftest import ROOT

    path = ROOT / "jobs" / job.id / "log.jsonl"
    return path.read_bytes() if path.exists() else b""


def test_tail_gives_the_last_lines_and_the_marker(api: HfApi, server: LocalServer) -> None:
    job = run(api, "for i in range(2000): print('line', i)")
    end(api, job)
    assert lines(api, job, tail=3) == ["line 1997", "line 1998", "line 1999"]
    assert len(lines(api, job, tail=99999)) == 2000
    text = raw(server, "GET", f"/api/jobs/{NS}/{job.id}/logs?tail=1").body.decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert events[0]["data"].startswith("===== Job started at ")
    assert events[1]["data"] == "line 1999"
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_a_log_keeps_what_a_terminal_would_and_what_breaks_parsers(api: HfApi) -> None:
    job = run(
        api,
        "import sys; sys.stdout.buffer.write('bar 1%\\rbar 2%\\nsep \\u2028 \\u2029 \\x85 end\\n'.encode()"
        " + b'bad \\xff byte\\n' + b'no newline at the end')",
    )
    end(api, job)
    assert lines(api, job) == [
        "bar 1%\rbar 2%",
        "sep \u2028 \u2029 \x85 end",
        "bad \ufffd byte",
        "no newline at the end",
    ]


def test_stderr_and_stdout_are_one_log(api: HfApi) -> None:
    job = run(api, "import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True); print('c')")
    end(api, job)
    assert lines(api, job) == ["a", "b", "c"]


def test_the_log_stream_sends_a_date_and_ends_with_the_job(api: HfApi, server: LocalServer) -> None:
    job = run(api, "print(1)")
    end(api, job)
    answer = raw(server, "GET", f"/api/jobs/{NS}/{job.id}/logs")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["date"]
    assert answer.body.endswith(b"\n\n")


def test_a_failing_job_is_an_error_with_its_exit_code(api: HfApi) -> None:
    ended = end(api, run(api, "raise SystemExit(3)"))
    assert (ended.status.stage, ended.status.message) == ("ERROR", "Job failed with exit code: 3")


def test_a_command_that_does_not_exist_is_an_error_that_names_it(api: HfApi) -> None:
    job = api.run_job(image="x", command=["no-such-program-here"], namespace=NS)
    assert end(api, job).status.stage == "ERROR"
    assert "no-such-program-here" in lines(api, job)[0]


def test_the_timeout_ends_a_job(api: HfApi) -> None:
    job = run(api, "import time; print('on', flush=True); time.sleep(600)", timeout=1)
    ended = end(api, job)
    assert (ended.status.stage, ended.status.message) == ("ERROR", "Job timeout")
    assert lines(api, job) == ["on"]


def test_cancel_ends_children_and_grandchildren_even_outside_the_group(api: HfApi) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "inner = 'import subprocess, sys, time; print(subprocess.Popen(' + repr(sleep) + ').pid, flush=True);'\n"
        "inner += 'time.sleep(600)'\n"
        "a = subprocess.Popen([sys.executable, '-c', inner])\n"
        "b = subprocess.Popen(sleep, start_new_session=True)\n"
        "print(os.getpid(), a.pid, b.pid, flush=True)\n"
        "time.sleep(600)"
    )
    job = run(api, code)
    wait_until(lambda: _log(api, job).count(b"}\n") >= 3, "the process ids")
    pids = [int(word) for line in lines(api, job, follow=False) for word in line.split()]
    assert len(pids) == 4
    assert all(alive(pid) for pid in pids)
    api.cancel_job(job_id=job.id, namespace=NS)
    assert end(api, job).status.stage == "CANCELED"
    wait_until(lambda: not any(alive(pid) for pid in pids), "every process of the job to end")


def test_a_job_that_ignores_term_is_killed(own_server: Any) -> None:
    from tests.local.conftest import client

    api = client(own_server("--kill-grace", "0.3").start())
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(.1)"
    )
    job = run(api, code)
    next(iter(api.fetch_job_logs(job_id=job.id, namespace=NS, follow=True)))
    api.cancel_job(job_id=job.id, namespace=NS)
    assert end(api, job).status.stage == "CANCELED"
    assert lines(api, job) == ["up", "no"]


def test_what_a_finished_job_left_behind_is_ended_and_does_not_hold_it(api: HfApi) -> None:
    code = "import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    job = run(api, code)
    assert end(api, job).status.stage == "COMPLETED"
    pid = int(lines(api, job)[0])
    wait_until(lambda: not alive(pid), "the left process to end")


def test_attempts_run_a_failing_job_again(api: HfApi, server: LocalServer) -> None:
    code = (
        "import os; n = len(os.listdir('.')); open(str(n), 'w'); print('try', n); raise SystemExit(0 if n == 2 else 1)"
    )
    job = run(api, code, attempts=5)
    assert end(api, job).status.stage == "COMPLETED"
    assert lines(api, job) == ["try 0", "try 1", "try 2"]
    assert raw(server, "GET", f"/api/jobs/{NS}/{job.id}").json()["retry"] == 4
    spent = run(api, "raise SystemExit(9)", attempts=2)
    assert end(api, spent).status.message == "Job failed with exit code: 9"


def test_metrics_while_it_runs_and_none_after(api: HfApi, server: LocalServer) -> None:
    job = run(api, "x = bytearray(50_000_000)\nprint('up', flush=True)\nwhile True: pass")
    next(iter(api.fetch_job_logs(job_id=job.id, namespace=NS, follow=True)))
    (sample,) = api.fetch_job_metrics(job_id=job.id, namespace=NS)
    assert sample["memory_used_bytes"] > 50_000_000
    assert sample["memory_total_bytes"] > sample["memory_used_bytes"]
    assert 0 < sample["cpu_usage_pct"] <= 100
    api.cancel_job(job_id=job.id, namespace=NS)
    end(api, job)
    assert list(api.fetch_job_metrics(job_id=job.id, namespace=NS)) == []
    assert raw(server, "GET", f"/api/jobs/{NS}/{job.id}/metrics").status == 406


def test_lists_by_stage_and_label_newest_first(api: HfApi) -> None:
    first = run(api, "pass", labels={"batch": "seven", "n": "1"})
    second = run(api, "pass", labels={"batch": "seven", "n": "2"})
    end(api, first), end(api, second)
    listed = [job.id for job in api.list_jobs(namespace=NS, labels={"batch": "seven"})]
    assert listed == [second.id, first.id]
    assert [job.id for job in api.list_jobs(namespace=NS, labels={"batch": "seven", "n": "1"})] == [first.id]
    assert second.id in [job.id for job in api.list_jobs(namespace=NS, status="COMPLETED")]
    assert second.id not in [job.id for job in api.list_jobs(namespace=NS, status=["RUNNING"])]


def test_a_long_list_comes_in_pages(api: HfApi, server: LocalServer) -> None:
    ids = [run(api, "pass", labels={"page": "yes"}).id for _ in range(3)]
    seen, path = [], f"/api/jobs/{NS}?label=page%3Dyes&limit=2"
    while path:
        answer = raw(server, "GET", path)
        seen += [job["id"] for job in answer.json()]
        link = answer.headers.get("link", "")
        assert not link or link.startswith(f"<{server.url}/api/jobs/{NS}?label=page%3Dyes&limit=2&cursor=")
        path = link.partition(">")[0].removeprefix(f"<{server.url}")
    assert seen == ids[::-1]


def test_labels_are_replaced(api: HfApi) -> None:
    job = run(api, "pass", labels={"a": "1"})
    assert api.update_job_labels(job_id=job.id, labels={"b": "2"}, namespace=NS).labels == {"b": "2"}
    assert api.inspect_job(job_id=job.id, namespace=NS).labels == {"b": "2"}


def test_hardware_has_every_flavor_with_its_price(api: HfApi) -> None:
    listed = {one.name: one for one in api.list_jobs_hardware()}
    assert len(listed) == 26
    assert listed["cpu-basic"].accelerator is None
    a10g = listed["a10g-large"]
    assert a10g.accelerator.model == "A10G"
    assert a10g.accelerator.vram == "24 GB"
    assert (a10g.unit_label, a10g.unit_cost_micro_usd) == ("minute", 25000)


def test_rerun_makes_a_new_job_of_the_same_spec(api: HfApi) -> None:
    job = run(api, "import os; print(os.environ['A'])", env={"A": "5"}, flavor="cpu-upgrade")
    end(api, job)
    again = api.rerun_job(job_id=job.id, namespace=NS)
    assert again.id != job.id
    assert (again.command, again.flavor, again.initiator.type) == (job.command, "cpu-upgrade", "duplicated-job")
    end(api, again)
    assert lines(api, again) == ["5"]


def test_secrets_reach_the_job_and_nothing_else(api: HfApi, server: LocalServer) -> None:
    job = run(api, "import os; print(len(os.environ['MY_KEY']))", secrets={"MY_KEY": "s3cr3t-value-here"})
    assert job.secrets == ["MY_KEY"]
    end(api, job)
    assert lines(api, job) == ["17"]
    kept = [path for path in (server.root / "jobs" / job.id).rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"s3cr3t" in path.read_bytes()]


def test_a_running_jobs_secrets_lie_in_a_file_of_mode_0600(api: HfApi, server: LocalServer) -> None:
    job = run(api, "print('up', flush=True); import time; time.sleep(600)", secrets={"K": "vvv"})
    next(iter(api.fetch_job_logs(job_id=job.id, namespace=NS, follow=True)))
    file = server.root / "jobs" / job.id / "secrets.json"
    assert file.stat().st_mode & 0o777 == 0o600
    api.cancel_job(job_id=job.id, namespace=NS)
    end(api, job)
    assert not file.exists()


def test_a_rerun_gets_the_servers_own_token_again_but_no_other_secret(api: HfApi, server: LocalServer) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    mine = run(api, "import os; print(os.environ['HF_TOKEN'][:3])", secrets={"HF_TOKEN": server.token})
    end(api, mine)
    again = api.rerun_job(job_id=mine.id, namespace=NS)
    end(api, again)
    assert lines(api, again) == ["hf_"]
    other = run(api, "pass", secrets={"K": "vvv"})
    end(api, other)
    with pytest.raises(HfHubHTTPError, match="submit it again") as refused:
        api.rerun_job(job_id=other.id, namespace=NS)
    assert refused.value.response.status_code == 409


def test_the_environment_of_a_job_is_its_own(api: HfApi, server: LocalServer, monkeypatch: Any) -> None:
    code = "import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))"
    job = run(api, code)
    end(api, job)
    env, cwd = json.loads(lines(api, job)[0])
    folder = server.root / "jobs" / job.id
    assert cwd == str(folder / "work")
    assert env["HOME"] == str(folder / "home")
    assert env["TMPDIR"] == str(folder / "tmp")
    assert env["HF_ENDPOINT"] == server.url
    assert env["HF_HOME"] == str(server.root / "hf-home")
    assert env["PATH"].startswith(str(server.root / "bin"))
    assert int(env["OMP_NUM_THREADS"]) >= 1
    assert server.token not in json.dumps(env)
    assert not {"WORKBENCH_DATA_DIR", "PYTHONPATH", "PYTEST_CURRENT_TEST"} & set(env)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"flavor": "moon-base"}, "Unknown flavor"),
        ({"command": []}, "command"),
        ({"command": "ls"}, "command"),
        ({"environment": {"A": 1}}, "environment"),
        ({"environment": {"A=B": "1"}}, "environment"),
        ({"dockerImage": None}, "dockerImage"),
        ({"timeoutSeconds": -1}, "timeoutSeconds"),
        ({"attempts": "many"}, "attempts"),
        ({"labels": {"a b": "c"}}, "Label"),
        ({"volumes": [{"type": "bucket"}]}, "Volumes"),
        ({"expose": {"ports": [80]}}, "Ports"),
    ],
)
def test_a_wrong_spec_is_refused_with_a_sentence(server: LocalServer, change: dict[str, Any], says: str) -> None:
    spec = {"command": ["true"], "arguments": [], "environment": {}, "flavor": "cpu-basic", "dockerImage": "x"} | change
    answer = raw(server, "POST", f"/api/jobs/{NS}", body=json.dumps(spec).encode())
    assert answer.status == 400
    assert says in answer.json()["error"]


def test_unknown_jobs_and_namespaces_are_refused(api: HfApi, server: LocalServer) -> None:
    from huggingface_hub.errors import HfHubHTTPError, JobNotFoundError

    with pytest.raises(JobNotFoundError):
        api.inspect_job(job_id="0" * 24, namespace=NS)
    with pytest.raises(JobNotFoundError):
        api.cancel_job(job_id="0" * 24, namespace=NS)
    assert raw(server, "GET", "/api/jobs/somebody").status == 404
    with pytest.raises(HfHubHTTPError) as refused:
        api.run_job(image="x", command=["true"], namespace="somebody")
    assert refused.value.response.status_code == 403
    assert raw(server, "GET", f"/api/scheduled-jobs/{NS}").status == 404


def test_a_job_pushes_to_the_hub_that_runs_it(api: HfApi, server: LocalServer) -> None:
    code = (
        "from huggingface_hub import HfApi\n"
        "api = HfApi()\n"
        "api.create_repo('demo/pushed-by-a-job', exist_ok=True)\n"
        "api.upload_file(path_or_fileobj=b'weights', path_in_repo='a.bin', repo_id='demo/pushed-by-a-job')\n"
    )
    job = run(api, code, secrets={"HF_TOKEN": server.token})
    assert end(api, job).status.stage == "COMPLETED", lines(api, job)
    assert api.file_exists("demo/pushed-by-a-job", "a.bin")


@pytest.mark.parametrize(("flavor", "gpus"), [("cpu-basic", "0"), ("a10g-largex2", "2")])
def test_a_cpu_flavor_hides_the_gpus(api: HfApi, flavor: str, gpus: str) -> None:
    code = "import os; print(os.environ['WORKBENCH_JOB_GPUS'], repr(os.environ.get('CUDA_VISIBLE_DEVICES')))"
    job = run(api, code, flavor=flavor)
    end(api, job)
    seen, cards = lines(api, job)[0].split()
    assert seen == gpus
    assert (cards == "''") == (gpus == "0")


def test_settings_and_hub_fixtures_speak_to_the_server(hub: Any) -> None:
    assert hub.namespace() == NS
    assert hub.get_json("/api/whoami-v2", jobs=True)["fullname"] == "Demo account"
