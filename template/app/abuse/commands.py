"""`app abuse`: for whoever runs the app and cannot sign in."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import delete, update

from app.abuse import seeing, subjects
from app.abuse.models import AbuseCounter, AbuseMeasure
from app.audit import service as audit
from app.core import db as database
from app.core.clock import now
from app.core.errors import Invalid
from app.users import service as users

commands = typer.Typer(help="What is done about abuse.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Keeps `lift` a word of its own while it is the only command."""


@commands.command("lift")
def lift(
    of: Annotated[str, typer.Argument(help="An address, a network (/24, /48), or everyone.")],
) -> None:
    """End what is in force for an address, or for everyone."""
    try:
        subject = subjects.EVERYONE if of == "everyone" else subjects.typed(of)
    except Invalid as problem:
        raise typer.BadParameter(problem.detail) from None
    lifted = asyncio.run(_lift(subject))
    Console().print(f"Lifted: {lifted}." if lifted else "Nothing was in force.")


async def _lift(subject: subjects.Subject) -> int:
    try:
        async with database.transaction(elevated=True) as db:
            organization = await users.the_organization(db)
            moment = now()
            found = await db.scalars(
                update(AbuseMeasure)
                .where(AbuseMeasure.subject_key == subject.key, AbuseMeasure.until > moment)
                .where(AbuseMeasure.lifted_at.is_(None))
                .values(lifted_at=moment, lifted_because="app abuse lift")
                .returning(AbuseMeasure.id)
            )
            ids = found.all()
            await db.execute(delete(AbuseCounter).where(AbuseCounter.id == subject.key))
            if subject == subjects.EVERYONE:
                await seeing.forget_tallies(db, organization.id)
            for one in ids:
                await audit.record(
                    db, "abuse.measure_lifted", organization_id=organization.id, target=one
                )
            return len(ids)
    finally:
        await database.close()
