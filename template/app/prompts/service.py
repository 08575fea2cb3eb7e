"""Write versions, move labels, and look at what there is. Writing is done as app_auth."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import column, func, select, table, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.cache import service as cache
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.modules import parts
from app.prompts.models import (
    Prompt,
    PromptExperiment,
    PromptLabel,
    PromptMove,
    PromptShadow,
    PromptVersion,
)
from app.prompts.text import checked, digest
from app.users.service import the_organization

# Names, read from the table of users without its models; row security shows the colleagues in it.
PEOPLE = table("users", column("id"), column("display_name"))
OVERRIDE = "prompts.override"


class NoSuchPrompt(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such prompt.")


class NoSuchVersion(NotFound):
    def __init__(self) -> None:
        super().__init__("This prompt has no such version.")


class NothingChanged(Conflict):
    """The text is that of the newest version."""


class NothingBefore(Conflict):
    """No version was live before this one, so there is nothing to go back to."""


class GateNotPassed(Conflict):
    """The evaluation that a release needs has not been passed by this very version."""


@dataclass(frozen=True)
class Overview:
    """A prompt with the number of the version that each label points to."""

    prompt: Prompt
    labels: dict[str, int]
    newest: int


async def prompts(db: AsyncSession) -> list[Overview]:
    """All prompts, by name."""
    latest = select(PromptVersion.prompt_id, func.max(PromptVersion.number))
    numbers = await db.execute(latest.group_by(PromptVersion.prompt_id))
    newest = {row[0]: row[1] for row in numbers}
    rows = await db.execute(
        select(PromptLabel.prompt_id, PromptLabel.label, PromptVersion.number).join(
            PromptVersion, PromptVersion.id == PromptLabel.version_id
        )
    )
    labels: dict[UUID, dict[str, int]] = {}
    for prompt_id, label, number in rows:
        labels.setdefault(prompt_id, {})[label] = number
    found = await db.scalars(select(Prompt).order_by(Prompt.name))
    return [Overview(one, labels.get(one.id, {}), newest.get(one.id, 0)) for one in found]


async def prompt(db: AsyncSession, name: str) -> Overview:
    found = next((one for one in await prompts(db) if one.prompt.name == name), None)
    if found is None:
        raise NoSuchPrompt
    return found


async def versions(db: AsyncSession, prompt_id: UUID) -> Sequence[PromptVersion]:
    """All versions of a prompt, the newest first."""
    query = select(PromptVersion).where(PromptVersion.prompt_id == prompt_id)
    return (await db.scalars(query.order_by(PromptVersion.number.desc()))).all()


async def version(db: AsyncSession, prompt_id: UUID, number: int) -> PromptVersion:
    found = await db.scalar(
        select(PromptVersion).where(
            PromptVersion.prompt_id == prompt_id, PromptVersion.number == number
        )
    )
    if found is None:
        raise NoSuchVersion
    return found


async def moves(
    db: AsyncSession, prompt_id: UUID, limit: int | None = 30
) -> list[tuple[PromptMove, int]]:
    """How labels were moved, the latest first, each with the version's number."""
    rows = await db.execute(
        select(PromptMove, PromptVersion.number)
        .join(PromptVersion, PromptVersion.id == PromptMove.version_id)
        .where(PromptMove.prompt_id == prompt_id)
        .order_by(PromptMove.id.desc())
        .limit(limit)
    )
    return [(move, number) for move, number in rows]


async def names(db: AsyncSession, ids: Sequence[UUID | None]) -> dict[UUID, str]:
    """What these people are called today; those who left are not in it."""
    rows = await db.execute(select(PEOPLE).where(PEOPLE.c.id.in_({*ids} - {None})))
    return {row.id: row.display_name for row in rows}


async def add_version(
    db: AsyncSession, person: Person, name: str, text: str, rationale: str
) -> PromptVersion:
    """A new version, which gets the label draft. Raises `PromptInvalid` or `NothingChanged`."""
    text = text.replace("\r\n", "\n").strip()
    async with elevated(db):
        # The row is locked, so that two at once get two numbers.
        found = await db.scalar(select(Prompt).where(Prompt.name == name).with_for_update())
        if found is None:
            raise NoSuchPrompt
        used = checked(text, found.variables)
        last = (await versions(db, found.id))[0]
        if last.digest == digest(text):
            raise NothingChanged("The newest version has this very text.")
        made = PromptVersion(
            id=uuid7(),
            prompt_id=found.id,
            number=last.number + 1,
            text=text,
            variables=list(used),
            rationale=rationale,
            digest=digest(text),
            author_id=person.user_id,
            from_file=False,
        )
        db.add(made)
        await db.flush()
        await _move(db, person.user_id, found, made, "draft", "", "")
    await audit.record(
        db, "prompt.written", person=person, target=name, detail={"version": made.number}
    )
    return made


async def alone_with(db: AsyncSession, name: str) -> None:
    """Releases, rollbacks and experiments of one prompt come one after the other."""
    async with elevated(db):
        await db.execute(select(Prompt.id).where(Prompt.name == name).with_for_update())


async def move_label(
    db: AsyncSession, person: Person, name: str, number: int, label: str, reason: str = ""
) -> PromptMove:
    """Let a label point to a version. `live` needs the gate, or a reason and the right to give one.

    Raises `GateNotPassed`.
    """
    await alone_with(db, name)
    found = (await prompt(db, name)).prompt
    chosen = await version(db, found.id, number)
    gate = ""
    if label == "live":
        gate = await gate_of(db, person, found, chosen, reason)
    async with elevated(db):
        if label == "live":
            await end_experiments(db, found.id, chosen.id)
        moved = await _move(db, person.user_id, found, chosen, label, reason, gate)
        if label == "live":
            await cache.forget_prompt(db, name)
    await audit.record(
        db,
        "prompt.released" if label == "live" else "prompt.labelled",
        person=person,
        target=name,
        detail={"version": number, "label": label, "gate": gate, "move": str(moved.id)},
    )
    return moved


async def roll_back(db: AsyncSession, name: str, reason: str) -> int:
    """Let the version that was live before the live one be it again; for who cannot sign in.

    A version that something else was rolled back to is not left for that one again.
    Raises `NothingBefore`.
    """
    await alone_with(db, name)
    overview = await prompt(db, name)
    found, bad = overview.prompt, overview.labels.get("live", 0)
    history = reversed(await moves(db, found.id, limit=None))
    numbers = [number for move, number in history if move.label == "live"]
    before = numbers[: numbers.index(bad)] if bad in numbers else []
    if not before:
        raise NothingBefore(f"No version of {name} was live before version {bad}.")
    chosen = await version(db, found.id, before[-1])
    async with elevated(db):
        await end_experiments(db, found.id)
        moved = await _move(db, None, found, chosen, "live", reason, "returned")
        await cache.forget_prompt(db, name)
    await audit.record(
        db,
        "prompt.released",
        organization_id=(await the_organization(db)).id,
        target=name,
        detail={
            "version": chosen.number, "label": "live", "gate": "returned", "move": str(moved.id)
        },
    )  # fmt: skip
    return chosen.number


async def lacking(db: AsyncSession, found: Prompt, chosen: PromptVersion) -> list[str]:
    """What keeps this version from going live, as sentences; nothing if it was live before."""
    if await _was_live(db, chosen):
        return []
    return [
        sentence
        for part in parts("release_gate")
        for sentence in await part.lacking(db, found.name, chosen.number)
    ]


async def end_experiments(db: AsyncSession, prompt_id: UUID, live: UUID | None = None) -> None:
    """What they compared with is no longer live; what is needs no shadow. As app_auth."""
    await db.execute(
        update(PromptExperiment)
        .where(PromptExperiment.prompt_id == prompt_id, PromptExperiment.ended_at.is_(None))
        .values(ended_at=now(), ended_because="Another version went live.")
    )
    await db.execute(
        update(PromptShadow)
        .where(PromptShadow.candidate_id == live, PromptShadow.ended_at.is_(None))
        .values(ended_at=now(), ended_because="It went live itself.")
    )


async def gate_of(
    db: AsyncSession, person: Person, found: Prompt, chosen: PromptVersion, reason: str
) -> str:
    """How the gate lets this version through to people. Raises `GateNotPassed`."""
    # What was live before may come back at once: that is what a rollback is for.
    if await _was_live(db, chosen):
        return "returned"
    missing = await lacking(db, found, chosen)
    if not missing:
        return "passed"
    if reason and OVERRIDE in person.permissions:
        return "overridden"
    raise GateNotPassed(" ".join(missing))


async def _was_live(db: AsyncSession, chosen: PromptVersion) -> bool:
    query = select(PromptMove.id).where(
        PromptMove.version_id == chosen.id, PromptMove.label == "live"
    )
    return await db.scalar(query.limit(1)) is not None


async def _move(
    db: AsyncSession,
    moved_by: UUID | None,
    of: Prompt,
    to: PromptVersion,
    label: str,
    reason: str,
    gate: str,
) -> PromptMove:
    moved = PromptMove(
        id=uuid7(),
        prompt_id=of.id,
        label=label,
        version_id=to.id,
        moved_by=moved_by,
        reason=reason,
        gate=gate,
    )
    db.add(moved)
    await db.flush()
    held = {"version_id": to.id, "by_file": False}
    await db.execute(
        insert(PromptLabel)
        .values(id=uuid7(), prompt_id=of.id, label=label, **held)
        .on_conflict_do_update(constraint="uq_prompt_labels_prompt_id_label", set_=held)
    )
    return moved


async def begin(db: AsyncSession, made: PromptExperiment | PromptShadow, running: Conflict) -> None:
    """Add what a prompt has one of at a time. Raises `running`."""
    try:
        # The refusal must not spoil the transaction: its page is made in it.
        async with elevated(db), db.begin_nested():
            db.add(made)
            await db.flush()
    except IntegrityError as error:
        raise running from error


async def end(
    db: AsyncSession, kind: type[PromptExperiment | PromptShadow], which: UUID, why: str
) -> bool:
    """Whether it was running until now."""
    async with elevated(db):
        ended = await db.scalar(
            update(kind)
            .where(kind.id == which, kind.ended_at.is_(None))
            .values(ended_at=now(), ended_because=why)
            .returning(kind.id)
        )
    return ended is not None
