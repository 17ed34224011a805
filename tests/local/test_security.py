"""The server starts processes for whoever may speak to it; so who may not, and how far nobody gets."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.local.conftest import raw
from workbench.local.serve import LocalServer, package_environment

ROUTES = [
    ("GET", "/api/whoami-v2"),
    ("GET", "/api/models"),
    ("GET", "/api/jobs/demo"),
    ("POST", "/api/jobs/demo"),
    ("GET", "/splits?dataset=demo/x"),
    ("GET", "/sample-lab/tiny-llama-2M/resolve/main/config.json"),
    ("POST", "/api/repos/create"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_token_there_is_nothing(server: LocalServer, method: str, path: str) -> None:
    body = b"{}" if method == "POST" else None
    for token in (None, "", "hf_" + "0" * 34, server.token[:-1], server.token + "0"):
        answer = raw(server, method, path, token=token, body=body)
        assert answer.status == 401, (path, token)
        assert answer.json()["error"]
        assert server.token not in answer.body.decode()


def test_a_token_of_another_scheme_is_none(server: LocalServer) -> None:
    basic = base64.b64encode(f"demo:{server.token}".encode()).decode()
    for value in (f"Basic {basic}", server.token, f"Bearer: {server.token}"):
        assert raw(server, "GET", "/api/whoami-v2", token=None, headers={"Authorization": value}).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "0.0.0.0:{port}"]
)
def test_a_name_that_was_pointed_at_us_is_refused_even_with_the_token(server: LocalServer, host: str) -> None:
    port = urlsplit(server.url).port
    answer = raw(server, "GET", "/api/whoami-v2", headers={"Host": host.format(port=port)})
    assert answer.status == 403
    assert raw(server, "GET", "/healthz", token=None, headers={"Host": host.format(port=port)}).status == 403


def test_the_loopback_names_are_accepted(server: LocalServer) -> None:
    port = urlsplit(server.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
        assert raw(server, "GET", "/api/whoami-v2", headers={"Host": host}).status == 200


def test_only_loopback_is_bound(server: LocalServer) -> None:
    import psutil

    record = json.loads((server.root / "server.json").read_text())
    listening = [one for one in psutil.Process(record["pid"]).net_connections() if one.status == psutil.CONN_LISTEN]
    assert [one.laddr.ip for one in listening] == ["127.0.0.1"]


def test_there_is_no_way_to_ask_for_another_address(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench.local.serve", "--root", str(tmp_path / "r"), "--host", "0.0.0.0"]
    done = subprocess.run(command, env=package_environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--host" in done.stderr
    assert not (tmp_path / "r" / "server.json").exists()


def test_files_are_private(server: LocalServer) -> None:
    assert server.root.stat().st_mode & 0o777 == 0o700
    for name in ("token", "server.json"):
        assert (server.root / name).stat().st_mode & 0o777 == 0o600
    log = server.root / "server.log"
    assert server.token not in log.read_text()


TRAVERSALS = [
    "/api/models/../../etc",
    "/api/models/%2e%2e/%2e%2e",
    "/api/models/demo/%2e%2e",
    "/api/models/demo/..%2f..%2fetc",
    "/api/models/demo/..%5c..%5cetc",
    "/api/models/.hidden/x",
    "/api/models/demo/x%00y",
    "/api/models/sample-lab/tiny-llama-2M/revision/..%2F..%2F..%2Fetc%2Fpasswd",
    "/api/models/sample-lab/tiny-llama-2M/tree/%2Fetc",
    "/api/models/sample-lab/tiny-llama-2M/tree/main/..%2f..",
    "/sample-lab/tiny-llama-2M/resolve/main/../../../../etc/passwd",
    "/sample-lab/tiny-llama-2M/resolve/main/..%2f..%2f..%2fmeta.json",
    "/sample-lab/tiny-llama-2M/resolve/main/%2fetc%2fpasswd",
    "/sample-lab/tiny-llama-2M/resolve/main//etc/passwd",
    "/sample-lab/tiny-llama-2M/resolve/..%2f..%2fmeta.json/x",
    "/datasets/sample-lab/..%2ftiny-llama-2M/resolve/main/config.json",
    "/api/jobs/demo/..%2f..%2ftoken",
    "/api/jobs/demo/%2e%2e",
    "/api/jobs/demo/..%2f..%2f..%2fetc%2fpasswd/logs",
    "/api/jobs/..%2f../x",
    "/lfs-objects/..%2f..%2f..%2ftoken",
    "/rows?dataset=../../etc&config=default&split=train",
    "/rows?dataset=demo/..%2f..%2f..&config=default&split=train",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_address_leads_out_of_the_store(server: LocalServer, path: str) -> None:
    answer = raw(server, "GET", path)
    assert answer.status in (400, 404), (path, answer.status)
    assert b"root:" not in answer.body
    assert server.token.encode() not in answer.body


@pytest.fixture
def repo(server: LocalServer) -> Iterator[str]:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.url, token=server.token)
    api.create_repo("demo/paths", exist_ok=True)
    yield "demo/paths"
    api.delete_repo("demo/paths")


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "a/./b",
        ".git/config",
        "a/.GIT/hooks/x",
        "..\\x",
        "C:/x",
        "a\nb",
        "",
        "x" * 2000,
    ],
)
def test_no_commit_takes_such_a_path(server: LocalServer, repo: str, path: str) -> None:
    lines = [
        {"key": "header", "value": {"summary": "s", "description": ""}},
        {"key": "file", "value": {"path": path, "content": "eA==", "encoding": "base64"}},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answer = raw(server, "POST", f"/api/models/{repo}/commit/main", body=body)
    assert (answer.status, answer.headers["x-error-code"]) == (400, "InvalidPath")
    asked = {"files": [{"path": path, "sample": "", "size": 1}]}
    assert raw(server, "POST", f"/api/models/{repo}/preupload/main", body=json.dumps(asked).encode()).status == 400


@pytest.mark.parametrize("name", ["../x", "..", ".x", "a/b/c", "x..y", "x.git", "", "a b", "x" * 97, "\u00e4"])
def test_no_repo_gets_such_a_name(server: LocalServer, name: str) -> None:
    body = json.dumps({"name": name, "organization": "demo"}).encode()
    assert raw(server, "POST", "/api/repos/create", body=body).status == 400


@pytest.mark.parametrize("ref", ["..%2Fx", "a%2F..%2Fb", "-x", "x.lock", "%2Fx", "a%20b", "0" * 40])
def test_no_branch_gets_such_a_name(server: LocalServer, repo: str, ref: str) -> None:
    assert raw(server, "POST", f"/api/models/{repo}/branch/{ref}", body=b"{}").status == 400


def test_an_announced_body_that_is_too_large_is_refused_unread(server: LocalServer) -> None:
    for path, size in (("/api/jobs/demo", 9 << 20), ("/api/models/demo/x/commit/main", 1 << 50)):
        answer = raw(server, "POST", path, headers={"Content-Length": str(size)})
        assert answer.status == 413, path
        assert "larger" in answer.json()["error"]


def test_a_body_of_unknown_length_is_cut_off(server: LocalServer) -> None:
    split = urlsplit(server.url)
    with socket.create_connection((str(split.hostname), int(split.port or 0)), timeout=30) as sock:
        head = f"POST /api/jobs/demo HTTP/1.1\r\nHost: {split.netloc}\r\nAuthorization: Bearer {server.token}\r\n"
        sock.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        try:
            for _ in range(20):
                sock.sendall(piece)
        except ConnectionError:  # it stopped listening, as it should
            pass
        reply = http.client.HTTPResponse(sock)
        reply.begin()
        assert reply.status == 413


def test_the_server_refuses_what_is_no_http(server: LocalServer) -> None:
    split = urlsplit(server.url)
    with socket.create_connection((str(split.hostname), int(split.port or 0)), timeout=30) as sock:
        sock.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 400")
    assert raw(server, "GET", "/healthz", token=None).status == 200
