"""What the plan pane writes: a row a flavor, a line a check, and the confirmation that names the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens import show
from screens.widgets.doc import Line, Para
from screens.widgets.grid import Cell, Row
from screens.widgets.paint import Piece
from workbench.plan.money import worst_case

if TYPE_CHECKING:
    from workbench.plan.frontier import FlavorEstimate, Frontier
    from workbench.plan.preflight import Check
    from workbench.plan.recipe import Recipe
    from workbench.settings import Settings

FITS = {"yes": ("fits", "good"), "tight": ("tight", "warn"), "no": ("no", "bad")}
CHECKS = {"ok": ("✓", "good"), "warn": ("!", "warn"), "fail": ("✗", "bad"), "wait": ("…", "dim")}


def flavor_row(estimate: FlavorEstimate, recipe: Recipe, frontier: Frontier) -> Row:
    flavor = estimate.flavor
    taken = flavor.name == recipe.job.flavor
    name: Cell = (("● ", "accent"), (flavor.name, "bold")) if taken else ("  " + flavor.name, "")
    word, ink = FITS[estimate.fits]
    no = estimate.fits == "no"
    best = flavor.name in frontier.pareto
    memory = f"{show.gib(estimate.memory.total)}/{show.gib(estimate.memory.usable)}"
    card = f"{flavor.gpus}×{flavor.gpu}" if flavor.gpus > 1 else flavor.gpu or "CPU"
    dim = "faint" if no else ""
    return Row(
        flavor.name,
        (
            name if not no or taken else ("  " + flavor.name, "faint"),
            (card, "dim"),
            (word, ink),
            (memory, "bad" if no else "dim"),
            ("–" if no else show.hours_range(estimate.hours), dim or ("" if estimate.timeout_ok else "warn")),
            ("–" if no else show.usd_range(estimate.usd), "faint" if no else "accent" if best else ""),
            (f"{flavor.usd_per_hour:.2f}", "dim"),
        ),
    )


def flavor_words(estimate: FlavorEstimate) -> Line:
    line = [(estimate.flavor.name + "  ", "bold"), (estimate.why, "")]
    if estimate.mend:
        line.append(("  → " + estimate.mend, "accent"))
    return line


def check_lines(checks: tuple[Check, ...], summary: Line) -> list[Line]:
    """Failures first, then warnings; what is fine in one paragraph at the end, so that little room suffices."""
    lines: list[Line] = [summary]
    order = {"fail": 0, "warn": 1, "wait": 2}
    for check in sorted((c for c in checks if c.verdict != "ok"), key=lambda c: order[c.verdict]):
        mark, ink = CHECKS[check.verdict]
        line = [(f"{mark} ", ink), (check.title + "  ", "bold"), (check.text, "")]
        if check.mend:
            line.append(("  → " + check.mend, "accent"))
        lines.append(Para(line, 2))
    fine: list[Piece] = []
    for check in checks:
        if check.verdict == "ok":
            fine += [("✓ ", "good"), (check.title, ""), (f" {check.text}   ", "dim")]
    return [*lines, fine] if fine else lines


def confirmation(
    recipe: Recipe, estimate: FlavorEstimate, checks: tuple[Check, ...], repo: str, settings: Settings
) -> list[Line]:
    """What the user says yes to: the sum first of all."""
    most = worst_case(estimate.flavor, recipe.job.timeout_minutes * 60)
    timeout = show.duration(recipe.job.timeout_minutes * 60)
    cap = recipe.job.cap_usd or settings.cap_run_usd
    about = show.usd_range(estimate.usd)
    if settings.place == "hub":
        cost = [(f"about {about}", "accent-bold"), (f", at most {show.usd(most)}", "accent-bold")]
        cost.append((f"  ({timeout} × {show.usd(estimate.flavor.usd_per_hour)}/h)", "dim"))
    else:
        where = "this demo bills nothing" if settings.place == "demo" else "this machine bills nothing"
        cost = [("$0", "good-bold"), (f": {where}", "")]
        cost.append((f" (on Hugging Face about {about}, at most {show.usd(most)})", "dim"))
    private = ("  private", "dim") if recipe.output.private else ("  public", "warn")
    lines = [
        _line("train", (recipe.model.id, "bold")),
        _line("on", (recipe.dataset.id, "bold"), (f"  {recipe.dataset.config}/{recipe.dataset.split}", "dim")),
        _line("machine", (recipe.job.flavor, "bold"), (f"  about {show.hours_range(estimate.hours)}", "")),
        _line("cost", *cost),
        _line("cap", (show.usd(cap), "") if cap else ("none", "warn")),
        _line("timeout", (timeout, "")),
        _line("pushes to", (recipe.output.repo or repo, "bold"), private),
    ]
    lines += [Para([("! ", "warn"), (f"{c.title}: {c.text}", "warn")], 2) for c in checks if c.verdict == "warn"]
    return lines


def _line(name: str, *pieces: Piece) -> Line:
    return Para([(f"{name:<11}", "dim"), *pieces], 11)
