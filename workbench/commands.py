"""The subcommands of `workbench`. Kept apart from `cli.py`, so that opening the screens does not import the parser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import settings as settings_module
from workbench.cli import demo_settings, here_settings, open_screens

app = typer.Typer(
    name="workbench",
    help="A keyboard-driven workbench for fine-tuning language models. Without a command it opens the screens.",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def screens(
    context: typer.Context,
    endpoint: Annotated[str | None, typer.Option(help="Base URL of the Hub.", metavar="URL")] = None,
    namespace: Annotated[str | None, typer.Option(help="Account that pays for jobs.", metavar="NAME")] = None,
    compute: Annotated[str | None, typer.Option(help="Where jobs run: hub, or here (this machine).")] = None,
    readonly: Annotated[bool, typer.Option("--readonly", help="Look at everything, start nothing.")] = False,
    theme: Annotated[str | None, typer.Option(help="Name of a theme.", metavar="NAME")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from workbench import __version__

        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is not None:
        return
    flags: dict[str, Any] = {"endpoint": endpoint, "namespace": namespace, "theme": theme}
    if compute == "here":
        settings = here_settings().with_(**{k: v for k, v in flags.items() if v is not None})
    else:
        settings = settings_module.load(compute=compute, **flags)
    open_screens(settings.with_(readonly=readonly or settings.readonly))


@app.command()
def demo(
    folder: Annotated[Path | None, typer.Option(help="Where the sample Hub lives.", metavar="DIR")] = None,
) -> None:
    """Open the screens on the built-in sample Hub: no account, no network, nothing billed."""
    open_screens(demo_settings(folder))


@app.command()
def locate(
    what: Annotated[str, typer.Argument(help="config, data, cache or ledger", metavar="WHAT")],
) -> None:
    """Print where something is kept."""
    settings = settings_module.load()
    places = {
        "config": settings_module.config_file(),
        "data": settings.data_dir,
        "cache": settings.cache_dir,
        "ledger": settings.ledger_dir,
    }
    if what not in places:
        raise typer.BadParameter(f"{what!r} is none of {', '.join(places)}")
    print(places[what])
