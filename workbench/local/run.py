"""The server process itself: one per folder, loopback only, ends by itself when nobody needs it."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import socket
import sys
import threading
from pathlib import Path

from workbench import __version__
from workbench.errors import WorkbenchError
from workbench.local.config import ServerConfig
from workbench.local.files import FileLock, now_iso, private_folder, write_atomic, write_json
from workbench.local.serve import HOST, folder_problem


def main(arguments: list[str] | None = None) -> int:
    """`python -m workbench.local.serve`: serve in the foreground until told to stop. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="workbench.local.serve", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the folder everything is kept in")
    parser.add_argument("--hub", action="store_true", help="also serve the sample Hub")
    parser.add_argument("--port", type=int, default=0, help="a port of 127.0.0.1 (default: the last one, else any)")
    parser.add_argument("--idle-seconds", type=float, default=600.0, help="end after this long unused; 0 = never")
    parser.add_argument("--body-limit", type=int, default=None, help="largest ordinary request body, bytes")
    parser.add_argument("--upload-limit", type=int, default=None, help="largest commit or LFS object, bytes")
    parser.add_argument("--keepalive-seconds", type=float, default=None, help="beat of a silent log stream")
    parser.add_argument("--kill-grace", type=float, default=None, help="seconds between TERM and KILL of a job")
    given = vars(parser.parse_args(arguments))
    port = int(given.pop("port"))
    config = ServerConfig(**{key: value for key, value in given.items() if value is not None})
    config = ServerConfig(**{**config.__dict__, "root": config.root.absolute()})
    # uvicorn raises the signal again once it has shut down: then leave in order, so that server.json goes too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(config, port)
    except KeyboardInterrupt:
        return 130
    except WorkbenchError as error:
        print(error.sentence(), file=sys.stderr)
        return 1
    except OSError as error:
        print(folder_problem(config.root, error).sentence(), file=sys.stderr)
        return 1
    return 0


def serve(config: ServerConfig, port: int = 0) -> None:
    """Bind, import the samples if they are new, say where we are in server.json, and serve until the end.

    Raises:
        WorkbenchError: another server holds the folder, or the port is taken.
        OSError: the folder cannot be used.
    """
    root = private_folder(config.root)
    root.chmod(0o700)
    lock = FileLock(root / "server.lock")
    if not lock.acquire():
        raise WorkbenchError("a server already runs in this folder", where=str(root))
    try:
        listener = bind(root, port)
        with listener:
            _serve(config, listener)
    finally:
        (root / "server.json").unlink(missing_ok=True)
        lock.close()


def _serve(config: ServerConfig, listener: socket.socket) -> None:
    import uvicorn

    from workbench.local.app import create_app
    from workbench.local.seed import import_samples

    port = int(listener.getsockname()[1])
    instance = secrets.token_hex(8)
    app = create_app(config, token=token_of(config.root), port=port, instance=instance)
    if config.hub:
        import_samples(app.state.store, config.hub_dir)
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # ours (auth.Track) is exact; uvicorn's can be two seconds old, and lines are dropped by it
        timeout_graceful_shutdown=1,  # log streams never end by themselves
        lifespan="off",
        ws="none",
        proxy_headers=False,
    )
    server = uvicorn.Server(settings)
    record = {
        "url": app.state.url,
        "port": port,
        "pid": os.getpid(),
        "instance": instance,
        "hub": config.hub,
        "version": __version__,
        "started": now_iso(),
    }
    # The listener queues what comes before uvicorn runs, so the record is true from the moment it is written.
    write_json(config.root / "server.json", record)
    print(f"serving {'Hub and jobs' if config.hub else 'jobs'} at {app.state.url}", flush=True)
    if config.idle_seconds > 0:
        watch = threading.Thread(target=_end_when_idle, args=(server, app, config.idle_seconds), daemon=True)
        watch.start()
    asyncio.run(server.serve(sockets=[listener]))


def _end_when_idle(server: object, app: object, idle_seconds: float) -> None:
    beat = threading.Event()
    state = app.state  # type: ignore[attr-defined]
    while not beat.wait(min(5.0, idle_seconds / 4)):
        state.jobs.reap()
        if state.activity.idle_seconds() >= idle_seconds and not state.jobs.any_running():
            server.should_exit = True  # type: ignore[attr-defined]
            return


def bind(root: Path, port: int) -> socket.socket:
    """A listening socket on 127.0.0.1: `port`, or the one used last, or a free one; remembered in `root/port`."""
    remembered = root / "port"
    wanted = port
    if not wanted:
        try:
            wanted = int(remembered.read_text(encoding="ascii"))
        except (OSError, ValueError):
            wanted = 0
    listener = _listen(wanted)
    if listener is None and not port:
        listener = _listen(0)
    if listener is None:
        raise WorkbenchError(f"port {port} is taken", where=HOST, mend="Choose another port, or none.")
    write_atomic(remembered, str(listener.getsockname()[1]).encode())
    return listener


def _listen(port: int) -> socket.socket | None:
    # With its protocol named, asyncio turns Nagle's delay off; otherwise each answer takes 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A server that was killed leaves connections in TIME_WAIT; its port must be ours again at once.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(256)
    except (OSError, OverflowError):
        listener.close()
        return None
    return listener


def token_of(root: Path) -> str:
    """The bearer token of this folder; made at random the first time, in a file only its owner can read."""
    path = root / "token"
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        token = ""
    if not token:
        token = "hf_" + secrets.token_hex(17)  # the shape the client and redactors know
        write_atomic(path, token.encode("ascii"))
    path.chmod(0o600)
    return token
