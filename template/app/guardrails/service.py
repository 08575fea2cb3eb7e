"""Reading and setting what an organisation wants stricter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.errors import Conflict, Invalid
from app.core.ids import uuid7
from app.guardrails.models import GuardSettings
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.stricter import RANK, USUAL, Choice


class NoSuchGuard(Invalid):
    """No guard of that name can be made stricter."""


class NotStricter(Invalid):
    """The installation is as strict already."""


class GuardsChanged(Conflict):
    """Somebody else has changed them meanwhile."""


@dataclass(frozen=True)
class Own:
    version: int = 0
    actions: Mapping[str, str] = field(default_factory=dict)
    words: Sequence[str] = ()
    words_action: str = "block"
    changed_at: datetime | None = None
    installation: Mapping[str, str] = field(default_factory=dict)


def installation() -> dict[str, str]:
    """What guards do at least about what they find, by the settings of the installation."""
    settings, found = GuardrailsSettings.load(), dict[str, str](USUAL)
    if 0 < settings.review_score <= 0.5:
        found["injection"] = "review"
    if not settings.mask:
        del found["personal_data"]
    if not settings.profanity:
        del found["profanity"]
    if not settings.review_words:
        del found["review_words"]
    return found


async def own(db: AsyncSession, person: Person) -> Own:
    row = await db.scalar(
        select(GuardSettings)
        .where(GuardSettings.organization_id == person.organization_id)
        .order_by(GuardSettings.version.desc())
        .limit(1)
    )
    usual = installation()
    if row is None:
        return Own(installation=usual)
    return Own(row.version, row.actions, row.words, row.words_action, row.created_at, usual)


async def set_own(
    db: AsyncSession,
    person: Person,
    *,
    version: int,
    actions: Mapping[str, Choice],
    words: Sequence[str],
    words_action: Choice,
) -> Own:
    """Write the next version; every process has noticed within a second of the commit.

    Raises `NoSuchGuard`, `NotStricter` or `GuardsChanged`.
    """
    usual = installation()
    for guard, action in actions.items():
        if guard not in usual:
            raise NoSuchGuard("There is no guard of this name that can be made stricter.")
        if RANK[action] <= RANK[usual[guard]]:
            raise NotStricter("A guard can only be made stricter than the installation has it.")
    changed = GuardsChanged("Somebody has changed the guards meanwhile. Please look again.")
    if (await own(db, person)).version != version:
        raise changed
    listed = list({one.casefold(): one for one in words}.values())
    made = await db.scalar(
        insert(GuardSettings)
        .values(
            id=uuid7(),
            organization_id=person.organization_id,
            version=version + 1,
            actions=dict(actions),
            words=listed,
            words_action=words_action,
            changed_by=person.user_id,
        )
        .on_conflict_do_nothing()
        .returning(GuardSettings.version)
    )
    if made is None:
        raise changed
    await audit.record(
        db,
        "guards.set",
        person=person,
        target=person.organization_id,
        detail={
            "version": made,
            "actions": dict(actions),
            "phrases": len(listed),
            "words_action": words_action,
        },
    )
    return await own(db, person)
