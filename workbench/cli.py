"""The command `workbench`: opens the screens, or answers one question.

Without a subcommand the screens open at once, past the argument parser's imports: the first frame is what people wait
for. Data goes to stdout, talk to stderr. Exit codes: 0 ok, 1 the answer is no, 2 wrong use, 3 the Hub refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workbench import settings as settings_module
from workbench.errors import HubError, WorkbenchError
from workbench.settings import Settings


def main() -> None:
    """The console script."""
    try:
        if len(sys.argv) == 1:
            open_screens(settings_module.load())
        else:
            from workbench.commands import app

            app()
    except WorkbenchError as error:
        print(f"workbench: {error.sentence()}", file=sys.stderr)
        raise SystemExit(3 if isinstance(error, HubError) else 1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def open_screens(settings: Settings) -> None:
    """Run the Textual app in this terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WorkbenchError(
            "the screens need a terminal, and stdin or stdout is none",
            mend="Run it in a terminal; `workbench --help` lists what works without one.",
        )
    import os

    if os.environ.get("TERM", "") in ("dumb", ""):
        raise WorkbenchError(
            f"the screens need a terminal that can move its cursor (TERM is {os.environ.get('TERM', '')!r})",
            mend="Set TERM, for example to xterm-256color.",
        )
    from screens.app import run
    from workbench.data.tokenizer import hide_torch

    hide_torch()  # the screens tokenize and never train; transformers without torch loads seconds faster
    run(settings)


def demo_settings(folder: Path | None = None) -> Settings:
    """Settings for the built-in sample Hub, started if it is not running."""
    from workbench.local.serve import ensure_server

    base = settings_module.load(endpoint="http://127.0.0.1", token="")
    root = folder or base.data_dir / "demo"
    if not root.exists():
        print("Making the sample Hub (once, a few seconds) …", file=sys.stderr)
    server = ensure_server(root, hub=True, timeout=300)
    return base.with_(
        endpoint=server.url,
        jobs_endpoint=server.url,
        viewer=server.url,
        token=server.token,
        jobs_token=server.token,
        namespace=None,
        demo=True,
        data_dir=root.parent if folder is None else root,
    )


def here_settings() -> Settings:
    """The real Hub's catalog, jobs as processes on this machine."""
    from workbench.local.serve import ensure_server

    base = settings_module.load(compute="here")
    server = ensure_server(base.data_dir / "here", hub=False, timeout=60)
    return base.with_(jobs_endpoint=server.url, jobs_token=server.token)


if __name__ == "__main__":
    main()
