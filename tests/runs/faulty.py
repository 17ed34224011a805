"""A Jobs server that fails on purpose: real sockets, seeded faults, one job whose log grows while it fails.

It speaks just enough HTTP for one job (status, logs, metrics), and for every log request it may draw a fault. What it
counts as the job's log (`truth`) is what a follower must end up with.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 5, 12, 14, 57, 43, tzinfo=UTC)

LOG_FAULTS = (
    "drop",  # reset after some lines
    "half",  # cut in the middle of a line
    "stall",  # fall silent, keep the connection
    "429",
    "500",
    "502",
    "503",
    "refuse",  # close without an answer
    "shorter",  # replay only a part of the log and end well
    "forgot",  # replay without the oldest lines, end well
    "changed",  # one line's text differs at the same moment
    "damaged",  # an event whose JSON is broken
    "restart",  # all connections die, the port is closed for a moment
)


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@dataclass
class FaultyJobs:
    """Serves job "job1" of "alice". `lines` is the whole log the job will have; a few more come each millisecond.

    The job ends once all lines are out and `enough` faults have happened; `end_early` lets it end before that.
    """

    lines: list[str]
    seed: int = 0
    faults: tuple[str, ...] = LOG_FAULTS
    fault_rate: float = 0.85
    enough: int = 0
    burst: int = 5
    final_faults: int = 5
    metrics_status: int = 406
    happened: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    port: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.produced = 0
        self.stage = "SCHEDULING"
        self.events = [
            {"data": text, "timestamp": stamp(BEGAN + timedelta(milliseconds=7 * number))}
            for number, text in enumerate(self.lines)
        ]
        self._ready = threading.Event()
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    # --- for tests -----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def truth(self) -> list[str]:
        return self.lines

    def __enter__(self) -> FaultyJobs:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    # --- the server ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._grew = asyncio.Event()
        await self._listen()
        self._ready.set()
        growing = asyncio.create_task(self._grow())
        await self._stop.wait()
        growing.cancel()
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _grow(self) -> None:
        await asyncio.sleep(0.01)
        self.stage = "RUNNING"
        while self.produced < len(self.events) or sum(self.happened.values()) < self.enough:
            await asyncio.sleep(0.001)
            # The log grows with the requests, so that it is still growing while enough goes wrong.
            share = (self.requests["logs"] + 1) / (1.3 * self.enough) if self.enough else 1.0
            limit = min(len(self.events), int(len(self.events) * share))
            if self.produced < limit:
                self.produced = min(limit, self.produced + self.rng.randrange(self.burst + 1))
                self._wake()
        self.stage = "COMPLETED"
        self._wake()

    def _wake(self) -> None:
        self._grew.set()
        self._grew = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode().split("?")[0]
                if not await self._answer(path, writer):
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> bool:
        name = path.rsplit("/", 1)[-1]
        self.requests[name] += 1
        if name == "logs":
            await self._logs(writer)
            return False
        if name == "metrics":
            await _plain(writer, self.metrics_status)
            return True
        if name != "job1":
            await _plain(writer, 404)
            return True
        if self.faults and self.rng.random() < 0.2:
            await _plain(writer, self.rng.choice((500, 503, 429)))
            return True
        await _plain(writer, 200, self.job())
        return True

    def job(self) -> dict[str, Any]:
        return {
            "id": "job1",
            "owner": {"id": "1", "name": "alice", "type": "user"},
            "createdAt": stamp(BEGAN),
            "startedAt": None if self.stage == "SCHEDULING" else stamp(BEGAN),
            "finishedAt": stamp(BEGAN + timedelta(minutes=5)) if self.stage == "COMPLETED" else None,
            "flavor": "cpu-basic",
            "timeoutSeconds": 600,
            "labels": {"name": "faulty"},
            "status": {"stage": self.stage, "message": None},
        }

    def _draw(self) -> str:
        if not self.faults or self.rng.random() > self.fault_rate:
            return ""
        if self.stage == "COMPLETED":
            if self.final_faults <= 0:
                return ""
            self.final_faults -= 1
        fault = self.rng.choice(self.faults)
        self.happened[fault] += 1
        return fault

    async def _logs(self, writer: asyncio.StreamWriter) -> None:
        fault = self._draw()
        if fault.isdigit():
            await _plain(writer, int(fault), retry_after="0" if fault == "429" else "")
            return
        if fault == "refuse":
            return
        if fault == "restart":
            await self._restart()
            return
        chunked = self.rng.random() < 0.5
        send = _body(writer, chunked)
        encoding = "transfer-encoding: chunked" if chunked else "x: y"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n{encoding}\r\n\r\n"
        writer.write(head.encode())
        breaks_at = self.rng.randrange(max(1, self.produced)) if fault else -1
        # Lines that nobody ever got cannot be missed by anybody: forget only later on.
        early = self.requests["logs"] < 10
        first = self.rng.randrange(self.produced + 1) if fault == "forgot" and not early else 0
        at = first
        while True:
            grew = self._grew
            while at < self.produced:
                if at == breaks_at and await self._break(fault, at, writer, send):
                    return
                event = self.events[at]
                if fault == "changed" and at == breaks_at:
                    event = {**event, "data": event["data"] + " (changed)"}
                if self.rng.random() < 0.02:
                    send(b": keep-alive\n\n")
                send(_event(event))
                at += 1
                if writer.is_closing():
                    return
                if self.rng.random() < 0.05:
                    await writer.drain()
            await writer.drain()
            if fault in ("forgot", "shorter") and at >= min(breaks_at, self.produced):
                break
            if self.stage == "COMPLETED" and at >= len(self.events):
                break
            if fault and fault != "changed" and at >= breaks_at and self.stage == "COMPLETED":
                break
            await grew.wait()
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _break(self, fault: str, at: int, writer: asyncio.StreamWriter, send: Callable[[bytes], None]) -> bool:
        """Do the fault; True when the connection is over."""
        await writer.drain()
        if fault == "drop":
            writer.transport.abort()
            return True
        if fault == "half":
            whole = _event(self.events[at])
            send(whole[: self.rng.randrange(1, len(whole) - 2)])
            await writer.drain()
            return True
        if fault == "stall":
            await asyncio.sleep(3600)
        if fault == "damaged":
            send(_event(self.events[at])[:-4] + b"\n\n")
        return False

    async def _restart(self) -> None:
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.sleep(0.02)
        await self._listen()


def _event(event: dict[str, Any]) -> bytes:
    # U+2028 goes over the wire as it is, as a careless server sends it.
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _body(writer: asyncio.StreamWriter, chunked: bool) -> Callable[[bytes], None]:
    def send(data: bytes) -> None:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n" if chunked else data)

    return send


async def _plain(writer: asyncio.StreamWriter, status: int, body: Any = None, *, retry_after: str = "") -> None:
    data = json.dumps({"error": "as asked"} if body is None else body).encode()
    extra = f"retry-after: {retry_after}\r\n" if retry_after else ""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n{extra}\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
