"""`app audit`."""

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from app.audit import chain
from app.audit.models import Anchor
from app.audit.verification import Report, verify_every_chain
from app.core import db as database
from app.core.errors import Invalid


class Unreadable(Invalid):
    """What was to prove something proves nothing."""


commands = typer.Typer(help="The audit log.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Keeps `verify` a word of its own while it is the only command."""


@commands.command("verify")
def verify_all(
    organization: Annotated[UUID | None, typer.Option(help="Only this organisation.")] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            help="Log lines with audit.anchored, kept outside the database.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
) -> None:
    """Find what was changed, removed or rewritten in the log past the app; fail if anything was."""
    kept = _read(anchors) if anchors else {}
    reports = asyncio.run(_verify(organization, kept))
    console = Console()
    for report in reports:
        name = report.organization_id or "platform"
        colour, word = _verdict(report)
        lines = [f"{name}  {report.events} events  [{colour}]{word}[/]"]
        lines += [f"  [red]{line}[/]" for line in report.findings]
        lines += [f"  [yellow]{line}[/]" for line in report.notes]
        console.print("\n".join(lines), soft_wrap=True, highlight=False)
    if not reports:
        console.print("There are no events yet.")
    asked_in_vain = organization and not any(report.events for report in reports)
    if asked_in_vain or not all(report.sound for report in reports):
        raise typer.Exit(1)


def _verdict(report: Report) -> tuple[str, str]:
    if not report.sound:
        return "red", "TAMPERED WITH"
    return ("green", "sound") if report.events else ("yellow", "nothing to verify")


async def _verify(only: UUID | None, kept: dict[UUID | None, list[Anchor]]) -> list[Report]:
    try:
        return await verify_every_chain(only, kept)
    finally:
        await database.close()


def _read(path: Path) -> dict[UUID | None, list[Anchor]]:
    """The anchors in a log; lines of anything else are passed over.

    What stands before an anchor, such as a container's name, is passed over, too.
    """
    found: defaultdict[UUID | None, list[Anchor]] = defaultdict(list)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if "audit.anchored" not in line:
                continue
            try:
                anchor = chain.heard(json.loads(line[line.index("{") :]))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise Unreadable(
                    f"Line {number} of {path} is an anchor that cannot be read: mend or remove it,"
                    " then verify again."
                ) from error
            found[anchor.organization_id].append(anchor)
    if not found:
        raise Unreadable(f"There is no anchor in {path}: it would prove nothing.")
    return found
