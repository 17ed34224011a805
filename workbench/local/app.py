"""The wiring: which routes there are, and what wraps them. No logic of its own."""

from __future__ import annotations

import sys

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from workbench.local import hardware, jobs, repos, viewer
from workbench.local.auth import Activity, BodyLimit, Guard, RawPath, Track
from workbench.local.config import ServerConfig
from workbench.local.identity import whoami
from workbench.local.jobstore import JobStore
from workbench.local.listing import Records
from workbench.local.store import RepoStore, StoreError
from workbench.local.wire import Refusal, error_response


def create_app(config: ServerConfig, *, token: str, port: int, instance: str) -> Starlette:
    """The ASGI app for a server that listens on `port` of 127.0.0.1. Makes the folders it needs."""
    activity = Activity()
    url = f"http://127.0.0.1:{port}"
    app = Starlette(
        routes=_routes(config),
        middleware=[
            Middleware(Track, activity=activity),
            Middleware(RawPath),
            Middleware(Guard, token=token, port=lambda: port),
            Middleware(BodyLimit, config=config),
        ],
        exception_handlers={
            Refusal: _refused,
            StoreError: _store_refused,
            HTTPException: _http_error,
            OSError: _disk_error,
        },
    )
    app.router.redirect_slashes = False
    app.state.config = config
    app.state.url = url
    app.state.token = token
    app.state.instance = instance
    app.state.activity = activity
    app.state.jobs = JobStore(config, url=url, token=token)
    if config.hub:
        app.state.store = RepoStore(config.hub_dir)
        app.state.records = Records(app.state.store)
        app.state.viewer = viewer.Viewer(app.state.store, config.hub_dir / "viewer")
    return app


def _routes(config: ServerConfig) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route("/healthz", _health),
        Route("/api/whoami-v2", whoami),
        Route("/api/agent-harnesses", _harnesses),
        Route("/api/jobs/hardware", hardware.hardware),  # before /api/jobs/{ns}
        *jobs.ROUTES,
    ]
    if config.hub:
        routes += [*repos.routes(), *viewer.ROUTES]
    return routes


async def _health(request: Request) -> Response:
    return JSONResponse({"ok": True, "instance": request.app.state.instance})


async def _harnesses(_request: Request) -> Response:
    """Which agents the client may name in its user-agent: none, nothing is counted here."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return error.response()


async def _store_refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)
    return error_response(error.status, str(error), error.code)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_response(404, f"Nothing is served at {request.scope['path']}.")
    return error_response(error.status_code, str(error.detail))


async def _disk_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    print(f"disk: {error}", file=sys.stderr)
    return error_response(507, f"The local server's disk cannot be used ({error.strerror or 'I/O error'}).")
