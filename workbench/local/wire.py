"""How answers and refusals look on the wire (hub-contract §0), and how parameters are read from a request.

Routes are matched on the *encoded* path (see `auth.RawPath`), because the client writes a revision such as
`refs/pr/1` as one segment, `refs%2Fpr%2F1`. So every path parameter is decoded here, once.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workbench.local.config import ServerConfig


class Refusal(Exception):
    """An answer that is an error: status, the sentence for `error`, and the code for `X-Error-Code`."""

    def __init__(self, status: int, message: str, code: str = "", *, body: dict[str, Any] | None = None) -> None:
        self.status = status
        self.message = message
        self.code = code
        self.body = body or {}
        super().__init__(message)

    def response(self) -> Response:
        return error_response(self.status, self.message, self.code, self.body)


def error_response(status: int, message: str, code: str = "", body: dict[str, Any] | None = None) -> Response:
    # Headers are latin-1 and one line; the body carries the sentence as it is.
    plain = " ".join(message.split()).encode("ascii", "replace").decode("ascii")
    headers = {"X-Error-Message": plain}
    if code:
        headers["X-Error-Code"] = code
    return JSONResponse({"error": message, **(body or {})}, status_code=status, headers=headers)


def path_param(request: Request, name: str) -> str:
    """A path parameter, percent-decoded once. Raises: Refusal 400 for bytes that are not UTF-8 or hold a NUL."""
    try:
        value = unquote(str(request.path_params[name]), errors="strict")
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The {name} in the address is not UTF-8.") from error
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise Refusal(400, f"The {name} in the address holds a control character.")
    return value


def flag(request: Request, name: str) -> bool | None:
    """A boolean query parameter as the client writes it ("true", "True", "1"), None when it is not there."""
    value = request.query_params.get(name)
    if value is None:
        return None
    return value.lower() in ("true", "1", "yes")


def number(request: Request, name: str, default: int | None, *, least: int = 0) -> int | None:
    value = request.query_params.get(name)
    if value is None or value == "":
        return default
    try:
        parsed = int(value)
    except ValueError as error:
        raise Refusal(400, f"{name} must be a whole number, not {value!r}.") from error
    if parsed < least:
        raise Refusal(400, f"{name} must be at least {least}, not {parsed}.")
    return parsed


async def json_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object. Raises: Refusal 400."""
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The request body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "The request body must be a JSON object.")
    return value


def config_of(request: Request) -> ServerConfig:
    config: ServerConfig = request.app.state.config
    return config


def base_url(request: Request) -> str:
    """The server's own address, never what the Host header claims."""
    return str(request.app.state.url)


def encode_cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise Refusal(400, "Invalid cursor.") from error


def next_link(request: Request, cursor: Any) -> dict[str, str]:
    """The `Link` header of the next page: absolute, with all query parameters and the cursor."""
    pairs = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    pairs.append(("cursor", encode_cursor(cursor)))
    return {"Link": f'<{base_url(request)}{request.scope["path"]}?{urlencode(pairs)}>; rel="next"'}
