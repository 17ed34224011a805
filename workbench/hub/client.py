"""The one connection to the Hub: `huggingface_hub`, prepared so that it neither hangs nor phones home.

`huggingface_hub` reads HF_ENDPOINT once, when it is imported, and some of its calls pass `timeout=None`, which
overrides any default of the client. So the environment is set first, and the default timeout lives in the
transport, below the place where the client's own wish could remove it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.errors import GatedError, HubError, NotFoundError, WorkbenchError
from workbench.settings import Settings

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

# Seconds. A server that accepts and then says nothing must become a sentence, not a frozen pane.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
# Streams may be silent between two lines: keep-alives come about every 30 s (hub-contract §3.1).
STREAM_READ_TIMEOUT = 90.0

_prepared = threading.Lock()
_factories_installed = False


class Hub:
    """A connection for one `Settings`. Cheap to make: nothing is imported or sent until it is used.

    `api` speaks to the catalog and repos, `jobs_api` to the Jobs API (another address only with
    `--compute here`). Both are thread-safe; call them from worker threads, never from the screen's thread.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._api: HfApi | None = None
        self._jobs_api: HfApi | None = None
        self._account: str | None = None
        self._namespace: str | None = None
        self._lock = threading.Lock()

    @property
    def api(self) -> HfApi:
        if self._api is None:
            self._api = _make_api(self.settings.endpoint, self.settings.token, self.settings)
        return self._api

    @property
    def jobs_api(self) -> HfApi:
        if self._jobs_api is None:
            self._jobs_api = _make_api(self.settings.jobs_endpoint, self.settings.jobs_token, self.settings)
        return self._jobs_api

    def account(self) -> str:
        """The account of the Hub's token, under which repos are made. Asks `whoami-v2` once (it is rate limited)."""
        with self._lock:
            if self._account is None:
                with hub_errors("signing in"):
                    self._account = str(self.api.whoami(cache=True)["name"])
            return self._account

    def namespace(self) -> str:
        """The account that jobs run under: the settings' or the signed-in one; with `--compute here` this machine's,
        which has nothing to do with the Hub's."""
        if self.settings.jobs_endpoint == self.settings.endpoint:
            return self.settings.namespace or self.account()
        with self._lock:
            if self._namespace is None:
                with hub_errors("this machine's Jobs API"):
                    self._namespace = str(self.jobs_api.whoami(cache=True)["name"])
            return self._namespace

    def repo_owner(self, job_namespace: str) -> str:
        """Who owns what a job in `job_namespace` pushes."""
        if self.settings.jobs_endpoint == self.settings.endpoint:
            return job_namespace
        return self.settings.namespace or self.account()

    def headers(self, *, jobs: bool = False) -> dict[str, str]:
        """Request headers with authorization and user agent, for requests the client has no method for."""
        api = self.jobs_api if jobs else self.api
        return dict(api._build_hf_headers())

    def get_json(self, path: str, *, jobs: bool = False, params: dict[str, Any] | None = None) -> Any:
        """GET `path` below the endpoint through the client's own session; errors as `HubError`."""
        base = self.settings.jobs_endpoint if jobs else self.settings.endpoint
        headers = self.headers(jobs=jobs)
        from huggingface_hub.utils import get_session, hf_raise_for_status

        with hub_errors(path):
            response = get_session().get(f"{base}{path}", headers=headers, params=params)
            hf_raise_for_status(response)
            return response.json()

    def get_page(self, path_or_url: str, params: dict[str, Any] | None = None) -> tuple[Any, str | None]:
        """One page of a paginated list: the decoded body and the address of the next page, None at the end.

        `path_or_url` is a path below the endpoint, or the next address of an earlier answer. Our token only ever
        goes to the endpoint: an address elsewhere is refused, and a `Link` that names another host (a mirror that
        passes its upstream's on) is read as the same path below the endpoint.
        """
        from urllib.parse import urlsplit

        endpoint = self.settings.endpoint
        url = path_or_url
        if path_or_url.startswith("/"):
            url = f"{endpoint}{path_or_url}"
        elif not same_origin(path_or_url, endpoint):
            raise HubError("the next page lies on another server", where=path_or_url, mend="Search again.")
        headers = self.headers()
        from huggingface_hub.utils import get_session, hf_raise_for_status

        with hub_errors(urlsplit(url).path):
            response = get_session().get(url, headers=headers, params=params)
            hf_raise_for_status(response)
            following = response.links.get("next", {}).get("url")
            return response.json(), _below(endpoint, following) if following else None

    def async_session(self) -> httpx2.AsyncClient:
        """A fresh asynchronous client of `huggingface_hub`'s making; the caller closes it."""
        prepare(self.settings)
        from huggingface_hub.utils import get_async_session

        return get_async_session()


def same_origin(url: str, base: str) -> bool:
    """Whether both addresses have the same scheme, host and port."""
    from urllib.parse import urlsplit

    ports = {"http": 80, "https": 443}
    try:
        one, two = urlsplit(url), urlsplit(base)
        return (one.scheme, one.hostname, one.port or ports.get(one.scheme)) == (
            two.scheme,
            two.hostname,
            two.port or ports.get(two.scheme),
        )
    except ValueError:  # a port that is no number
        return False


def _below(endpoint: str, url: str) -> str:
    """`url` if it is the endpoint's own, else its path and query below the endpoint."""
    from urllib.parse import urljoin, urlsplit

    absolute = urljoin(f"{endpoint}/", url)
    if same_origin(absolute, endpoint):
        return absolute
    parts = urlsplit(absolute)
    return f"{endpoint}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def prepare(settings: Settings) -> None:
    """Set the environment `huggingface_hub` reads at import and install our client factories. Idempotent."""
    global _factories_installed
    with _prepared:
        if _factories_installed:
            return
        os.environ["HF_ENDPOINT"] = settings.endpoint
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        from huggingface_hub import set_async_client_factory, set_client_factory
        from huggingface_hub.utils._http import default_async_client_factory, default_client_factory

        def client() -> httpx2.Client:
            made = default_client_factory()
            made._transport = _filled_timeout(made._transport, READ_TIMEOUT)
            return made

        def async_client() -> httpx2.AsyncClient:
            made = default_async_client_factory()
            made._transport = _async_filled_timeout(made._transport, STREAM_READ_TIMEOUT)
            return made

        set_client_factory(client)
        set_async_client_factory(async_client)
        _factories_installed = True


def _make_api(endpoint: str, token: str | None, settings: Settings) -> HfApi:
    prepare(settings)
    from huggingface_hub import HfApi

    from workbench import __version__

    # token=False: an unsigned request must stay unsigned, whatever token lies in the user's home.
    return HfApi(
        endpoint=endpoint,
        token=token if token else False,
        library_name="lora-workbench",
        library_version=__version__,
    )


def _fill(request: httpx2.Request, read: float) -> None:
    """Give every missing part of a request's timeout a value."""
    given = dict(request.extensions.get("timeout") or {})
    for key, value in (("connect", CONNECT_TIMEOUT), ("pool", CONNECT_TIMEOUT), ("read", read), ("write", read)):
        if given.get(key) is None:
            given[key] = value
    request.extensions["timeout"] = given


def _filled_timeout(inner: httpx2.BaseTransport, read: float) -> httpx2.BaseTransport:
    """`inner`, never waiting for ever. (A function, because httpx2 is imported late.)"""
    import httpx2

    class FilledTimeout(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            _fill(request, read)
            return inner.handle_request(request)

        def close(self) -> None:
            inner.close()

    return FilledTimeout()


def _async_filled_timeout(inner: httpx2.AsyncBaseTransport, read: float) -> httpx2.AsyncBaseTransport:
    """The same for asynchronous clients."""
    import httpx2

    class AsyncFilledTimeout(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            _fill(request, read)
            return await inner.handle_async_request(request)

        async def aclose(self) -> None:
            await inner.aclose()

    return AsyncFilledTimeout()


@contextmanager
def hub_errors(where: str) -> Iterator[None]:
    """Turn whatever the client raises into a `HubError` that names `where` and a mend."""
    try:
        yield
    except WorkbenchError:
        raise
    except Exception as error:
        known = as_hub_error(error, where)
        if known is None:
            raise
        raise known from error


def as_hub_error(error: BaseException, where: str) -> HubError | None:
    """The sentence for one of the client's exceptions, or None if it is not the network's or the Hub's."""
    import httpx2
    from huggingface_hub import errors as hf

    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return HubError("the server cannot be reached", where=where, mend="Check the network and HF_ENDPOINT.")
    if isinstance(error, httpx2.TimeoutException):
        return HubError("the server did not answer in time", where=where, mend="Try again in a moment.")
    if isinstance(error, hf.GatedRepoError):
        return GatedError(
            "this repo is gated and your account has no access yet",
            where=where,
            mend="Accept its terms on its Hub page, then try again.",
            status=403,
        )
    if isinstance(error, hf.HfHubHTTPError):
        return _from_status(error, where)
    if isinstance(error, hf.HFValidationError):
        return NotFoundError("this is no valid repo id", where=where, mend="Ids look like owner/name.")
    if isinstance(error, hf.LocalTokenNotFoundError):
        return _not_signed_in(where)
    if isinstance(error, httpx2.HTTPError | ConnectionError | TimeoutError):
        return HubError(f"the connection broke ({type(error).__name__})", where=where, mend="Try again.")
    if isinstance(error, ValueError) and "json" in type(error).__name__.lower():
        return HubError("the server's answer is not what a Hub says", where=where, mend="Check HF_ENDPOINT.")
    return None


def _not_signed_in(where: str) -> HubError:
    return HubError(
        "not signed in, or the token is no longer valid",
        where=where,
        mend="Run `hf auth login`, or set HF_TOKEN.",
        status=401,
    )


def _from_status(error: Any, where: str) -> HubError:
    from huggingface_hub import errors as hf

    response = getattr(error, "response", None)
    status = int(getattr(response, "status_code", 0) or 0)
    said = str(getattr(error, "server_message", "") or "").strip()
    if isinstance(error, hf.RevisionNotFoundError):
        return NotFoundError("no such revision", where=where, status=404)
    if isinstance(error, hf.RepositoryNotFoundError | hf.EntryNotFoundError) or status == 404:
        return NotFoundError(
            "not found – or private, and this token may not see it", where=where, mend="Check the id.", status=404
        )
    if status == 401:
        return _not_signed_in(where)
    told: dict[int, Callable[[], HubError]] = {
        402: lambda: HubError(
            "no credits for paid compute in this namespace", where=where, mend="Add credits under Billing.", status=402
        ),
        403: lambda: HubError(
            said or "the token is not allowed to do this",
            where=where,
            mend="Use a token with write and job.write rights.",
            status=403,
        ),
        429: lambda: HubError("the Hub asks to slow down", where=where, mend="Wait a minute.", status=429),
    }
    if status in told:
        return told[status]()
    if status >= 500:
        return HubError(
            f"the server failed ({status})", where=where, mend="It is not your doing; try again.", status=status
        )
    return HubError(said or f"the server refused ({status})", where=where, status=status)
