"""What every request passes before a route sees it, as plain ASGI.

This server starts processes for whoever may speak to it, so: only loopback (serve.py binds nothing else), only a
`Host` that names loopback (a web page that re-points its own name at 127.0.0.1 is refused), only with the token,
and only bodies of a bounded size.
"""

from __future__ import annotations

import hmac
import re
import time
import traceback
import uuid
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.local.config import ServerConfig
from workbench.local.wire import Refusal, error_response

# Answered without a token: whether we live; what the client asks before it has one (hub-contract §1, §2.4);
# a card's YAML, which `RepoCard.validate` sends unsigned.
OPEN_PATHS = frozenset({"/healthz", "/api/agent-harnesses", "/api/jobs/hardware", "/api/validate-yaml"})
# Signed by their own query parameters, because the client sends no token there (hub-contract §5.2).
SIGNED = re.compile(r"^/lfs-objects/[0-9a-f]{64}$")
UPLOADS = re.compile(r"^(?:/api/(?:models|datasets|spaces)/[^/]+/[^/]+/commit/.+|/lfs-objects/[0-9a-f]{64})$")


class Activity:
    """How busy the server is: open requests, and when the last one ended (monotonic seconds)."""

    def __init__(self) -> None:
        self.open = 0
        self.last = time.monotonic()

    def idle_seconds(self) -> float:
        return 0.0 if self.open else time.monotonic() - self.last


class Track:
    """Counts open requests, gives every answer `X-Request-Id` and `Date`, turns a crash of ours into a sentence."""

    def __init__(self, app: ASGIApp, activity: Activity) -> None:
        self.app = app
        self.activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"Root=1-{uuid.uuid4().hex[:8]}-{uuid.uuid4().hex[:24]}"

        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                # A log read without `follow` ends at the first line later than this (hub-contract §3.1).
                headers["Date"] = formatdate(usegmt=True)
            await send(message)

        self.activity.open += 1
        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            traceback.print_exception(error)  # into server.log; the caller gets a sentence
            if started:
                raise
            message = f"The local server failed ({type(error).__name__}); its server.log says more."
            await error_response(500, message)(scope, receive, send_with_id)
        finally:
            self.activity.open -= 1
            self.activity.last = time.monotonic()


class Guard:
    """Host check and bearer token. `ports` gives the port we listen on, known only after binding."""

    def __init__(self, app: ASGIApp, token: str, port: Callable[[], int]) -> None:
        self.app = app
        self._token = token.encode()
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self._check(scope)
        if refused is not None:
            await refused.response()(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        port = self._port()
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return Refusal(403, "This server answers only to its loopback address.", "WrongHost")
        path = scope["path"]
        if path in OPEN_PATHS or SIGNED.fullmatch(path):
            return None
        if "authorization" not in headers:
            return Refusal(401, "Sign in: this server wants the bearer token from its token file.", "Unauthorized")
        kind, _, given = headers["authorization"].partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("utf-8"), self._token):
            return Refusal(401, "Invalid username or password.", "Unauthorized")
        return None


class BodyLimit:
    """Refuses a body that is larger than allowed: by its announced length at once, else while it is read."""

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self.app = app
        self.config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.config.upload_limit if UPLOADS.match(scope["path"]) else self.config.body_limit
        announced = Headers(scope=scope).get("content-length")
        if announced is not None and (not announced.isdigit() or int(announced) > limit):
            await self._refuse(limit)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise Refusal(413, _too_large(limit), "PayloadTooLarge")
            return message

        await self.app(scope, counted, send)

    def _refuse(self, limit: int) -> ASGIApp:
        return error_response(413, _too_large(limit), "PayloadTooLarge")


def _too_large(limit: int) -> str:
    return f"The request body is larger than the {limit} bytes allowed here."


class RawPath:
    """Lets routes match the path as it was sent, so that an encoded slash stays part of its segment.

    Dot segments are refused here already, encoded or not; the stores check what they take once more.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            path = raw.split(b"?", 1)[0].decode("latin-1")
            if any(part in (".", "..") for part in unquote(path).replace("\\", "/").split("/")):
                await error_response(400, "The address holds a dot segment.", "InvalidPath")(scope, receive, send)
                return
            scope = {**scope, "path": path}
        await self.app(scope, receive, send)
