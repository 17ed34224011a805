"""One job's connection to the Jobs API: its stage, and the raw events of its streams (hub-contract §2, §3).

What may pass (a dropped connection, a 5xx answer, a server that is down) is `Dropped`; what will not is a `HubError`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

from workbench.errors import HubError, NotFoundError
from workbench.hub.client import CONNECT_TIMEOUT, Hub, as_hub_error
from workbench.hub.jobs import job_from_wire
from workbench.hub.records import JobRecord
from workbench.hub.replay import Broken, EventSplitter

if TYPE_CHECKING:
    import httpx2

# Bytes read ahead of whoever takes the lines: some 2,000 lines, so that one batch is decoded in a few milliseconds.
READ_AHEAD = 256 * 1024


@dataclass(frozen=True)
class Pace:
    """How patient following is; seconds. Tests make it quick, nobody else needs to.

    `read_timeout` must exceed the keep-alives' 30 s. `settle` is the silence after a job's end that ends its stream.
    """

    first_pause: float = 0.5
    longest_pause: float = 15.0
    longest_retry_after: float = 300.0
    read_timeout: float = 75.0
    poll_scheduling: float = 3.0
    poll_running: float = 10.0
    settle: float = 2.0
    final_silence: float = 5.0


def ignore(_: Any) -> None:
    return None


class Dropped(Exception):
    """A connection ended in another way than by its end. `status` 0 = no answer."""

    def __init__(self, why: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        self.why = why
        self.status = status
        self.retry_after = retry_after
        super().__init__(why)


class Pause:
    """Growing pauses with jitter, so that dozens of streams do not come back in the same instant."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._tries = 0

    def reset(self) -> None:
        self._tries = 0

    def next(self, asked: float = 0.0) -> float:
        """Seconds to wait now; at least what the server `asked` for, within reason."""
        base = min(self._pace.longest_pause, self._pace.first_pause * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return max(base * random.uniform(0.5, 1.0), min(asked, self._pace.longest_retry_after))  # noqa: S311


class Link:
    """One job's connection: its streams, its stage, and the sentences about both."""

    def __init__(self, client: httpx2.AsyncClient, url: str, headers: dict[str, str], pace: Pace) -> None:
        self._client = client
        self._url = url
        self._headers = headers
        self.pace = pace
        self.ended = asyncio.Event()
        self.closed = False  # whether the last stream was ended by the server, not by our waiting in vain
        self.stirred = asyncio.Event()  # the stage has changed
        self.problem: HubError | None = None
        self._on_job: Callable[[JobRecord], None] = ignore
        self._on_trouble: Callable[[str], None] = ignore
        self._told = ""
        self._troubles = {"log": "", "job": ""}
        self._look_now = asyncio.Event()
        self._where = f"job {url.rsplit('/', 1)[-1]}"
        self._base = url.split("/api/", 1)[0]

    @classmethod
    async def open(
        cls,
        hub: Hub,
        job_id: str,
        namespace: str,
        pace: Pace,
        on_job: Callable[[JobRecord], None],
        on_trouble: Callable[[str], None],
    ) -> Self:
        # Importing the client and asking who we are both block: not on the loop.
        headers = await asyncio.to_thread(hub.headers, jobs=True)
        owner = namespace or await asyncio.to_thread(hub.namespace)
        client = await asyncio.to_thread(hub.async_session)
        headers |= {"accept": "text/event-stream, application/json", "accept-encoding": "identity"}
        link = cls(client, f"{hub.settings.jobs_endpoint}/api/jobs/{owner}/{job_id}", headers, pace)
        link._on_job, link._on_trouble = on_job, on_trouble
        return link

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def trouble(self, sentence: str, *, source: str = "log") -> None:
        """Say what is wrong with the `source`, "" = nothing any more; told on only when it changes."""
        self._troubles[source] = sentence
        told = next((text for text in self._troubles.values() if text), "")
        if told != self._told:
            self._told = told
            self._on_trouble(told)

    def well(self) -> None:
        self.trouble("")

    async def rest(self, seconds: float) -> bool:
        """Wait, but no longer than until the job's stage changes (then True); look at the job at once."""
        self.stirred.clear()
        self._look_now.set()
        try:
            if not self.ended.is_set():
                async with asyncio.timeout(seconds):
                    await self.stirred.wait()
        except TimeoutError:
            return False
        return True

    async def watch(self) -> None:
        """Look at the job again and again; sets `ended` when it has ended or can never be looked at."""
        try:
            await self._watch()
        finally:  # also when a callback failed: nobody must wait for a stage that no longer comes
            self.ended.set()
            self.stirred.set()

    async def _watch(self) -> None:
        pause = Pause(self.pace)
        missing = 0
        stage = ""
        while True:
            self._look_now.clear()
            try:
                job = await self._inspect()
                missing = 0
                pause.reset()
                self.trouble("", source="job")
                self._on_job(job)
                if job.terminal:
                    return
                if job.stage != stage:
                    stage = job.stage
                    self.stirred.set()
                wait = self.pace.poll_scheduling if job.stage == "SCHEDULING" else self.pace.poll_running
            except Dropped as drop:
                self.trouble(drop.why, source="job")
                wait = pause.next(drop.retry_after)
            except HubError as error:
                # A server that has just come up may not know its jobs yet.
                missing += 1
                if missing >= 3:
                    self.problem = error
                    return
                wait = pause.next()
            try:
                async with asyncio.timeout(wait):
                    await self._look_now.wait()
                # Asked to look early, but never in a tight loop.
                await asyncio.sleep(min(wait, self.pace.first_pause))
            except TimeoutError:
                pass

    async def look(self) -> bool:
        """Whether the job has ended; False also when nobody can say.

        Raises:
            HubError: it does not exist, or we may not see it.
        """
        try:
            return (await self._inspect()).terminal
        except Dropped:
            return False

    async def _inspect(self) -> JobRecord:
        import httpx2

        try:
            response = await self._client.get(self._url, headers=self._headers, timeout=self._timeout(30.0))
        except (httpx2.HTTPError, OSError) as error:
            raise self._dropped(error) from error
        if response.status_code == 200:
            try:
                return job_from_wire(response.json(), endpoint=self._base)
            except (ValueError, HubError) as error:
                raise Dropped("the server's answer is not what a Hub says") from error
        if response.status_code == 404:
            raise NotFoundError(
                "there is no such job (any more)", where=self._where, mend="Check its id and namespace.", status=404
            )
        if response.status_code in (401, 403):
            raise HubError(
                "the token may not see this job",
                where=self._where,
                mend="Run `hf auth login`, or use a token with job rights.",
                status=response.status_code,
            )
        raise _refused(response)

    async def events(
        self, route: str, *, linger: float | None = None
    ) -> AsyncGenerator[list[dict[str, Any] | Broken], None]:
        """One connection's events as they arrive, until its clean end.

        Args:
            linger: once the job has ended, so many seconds of silence are an end, too (some servers never close).

        Raises:
            Dropped: it ended in any other way.
        """
        import httpx2

        splitter = EventSplitter()
        try:
            async with (
                self._client.stream(
                    "GET",
                    f"{self._url}/{route}",
                    headers=self._headers,
                    timeout=self._timeout(self.pace.read_timeout),
                ) as response,
                _pumped(response) as chunks,
            ):
                if response.status_code != 200:
                    raise _refused(response)
                if route == "logs":
                    self.well()
                while True:
                    data = await chunks.take(self.ended, linger)
                    if data is None:
                        self.closed = chunks.over
                        break
                    if events := splitter.feed(data):
                        yield events
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise self._dropped(error) from error
        if splitter.half:
            raise Dropped("it was cut in the middle of a line")

    def _timeout(self, read: float) -> httpx2.Timeout:
        import httpx2

        return httpx2.Timeout(connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT, write=CONNECT_TIMEOUT, read=read)

    def _dropped(self, error: BaseException) -> Dropped:
        known = as_hub_error(error, "")
        return Dropped(known.what if known else f"the connection broke ({type(error).__name__})")


class _Chunks:
    """Bytes of one response, read ahead up to a limit; what gathers is taken at once: batches grow with load."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.over = False
        self.error: BaseException | None = None
        self.arrived = asyncio.Event()
        self.drained = asyncio.Event()

    async def pump(self, response: httpx2.Response) -> None:
        try:
            async for chunk in response.aiter_bytes():
                self.parts.append(chunk)
                self.size += len(chunk)
                self.arrived.set()
                if self.size >= READ_AHEAD:
                    self.drained.clear()
                    await self.drained.wait()
        except Exception as error:  # handed over to the reader, which names it
            self.error = error
        finally:
            self.over = True
            self.arrived.set()

    async def take(self, ended: asyncio.Event, linger: float | None) -> bytes | None:
        """All that has come, waiting if there is nothing; None at the end."""
        while not self.parts:
            if self.over:
                if self.error is not None:
                    raise self.error
                return None
            self.arrived.clear()
            if not await self._wait(ended, linger):
                return None
        data = b"".join(self.parts)
        self.parts.clear()
        self.size = 0
        self.drained.set()
        return data

    async def _wait(self, ended: asyncio.Event, linger: float | None) -> bool:
        """Wait for bytes; False when the job has ended and `linger` seconds passed in silence."""
        if linger is None:
            await self.arrived.wait()
            return True
        if not ended.is_set():
            waits = [asyncio.ensure_future(self.arrived.wait()), asyncio.ensure_future(ended.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
            if self.arrived.is_set():
                return True
        try:
            async with asyncio.timeout(linger):
                await self.arrived.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def _pumped(response: httpx2.Response) -> AsyncIterator[_Chunks]:
    chunks = _Chunks()
    task = asyncio.create_task(chunks.pump(response))
    try:
        yield chunks
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _refused(response: httpx2.Response) -> Dropped:
    status = response.status_code
    said = {429: "the Hub asks to slow down", 404: "not there (yet)"}.get(status, f"the server answered {status}")
    return Dropped(said, status=status, retry_after=_retry_after(response))


def _retry_after(response: httpx2.Response) -> float:
    """Seconds from `Retry-After` (a number or a date) or `RateLimit: "api";r=0;t=55`; 0 when not said."""
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else _rate_limit(response)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _rate_limit(response: httpx2.Response) -> float:
    fields = dict(
        part.strip().split("=", 1) for part in response.headers.get("ratelimit", "").split(";") if "=" in part
    )
    return max(0.0, float(fields["t"])) if fields.get("r") == "0" and "t" in fields else 0.0
