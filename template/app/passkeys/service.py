"""The passkeys of a person: add, list, rename, remove. All of it as app_auth."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth import second_factors
from app.core.db import transaction
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.passkeys import challenges
from app.passkeys.challenges import Known
from app.passkeys.models import Passkey, PasskeyHandle
from app.passkeys.schemas import Attestation

KIND = "passkey"
AT_MOST = 20


class TooManyPasskeys(Conflict):
    pass


class AlreadyAdded(Conflict):
    pass


@dataclass(frozen=True)
class Added:
    """The first passkey is a second factor: then there are recovery codes and a new token."""

    passkey: Passkey
    codes: list[str] = field(repr=False)
    token: str | None = field(repr=False)


async def of_person(user_id: UUID) -> Sequence[Passkey]:
    """Someone's passkeys, oldest first."""
    async with transaction(elevated=True) as db:
        return await _of(db, user_id)


async def _of(db: AsyncSession, user_id: UUID) -> Sequence[Passkey]:
    query = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return (await db.scalars(query)).all()


async def options(person: Person, browser: str) -> dict[str, Any]:
    """What the browser needs to make a passkey."""
    from app.passkeys import ceremonies

    async with transaction(elevated=True) as db:
        handle = await _handle(db, person.user_id)
        have = await _of(db, person.user_id)
        _refuse_more(have)
        challenge = await challenges.new(db, "add", browser)
    return ceremonies.to_create(
        challenge,
        handle=handle,
        email=person.email,
        display_name=person.display_name,
        have=[Known(one.credential_id, one.transports) for one in have],
    )


async def add(person: Person, browser: str, name: str, answer: Attestation) -> Added:
    """Keep the passkey that the browser made."""
    from app.passkeys import ceremonies

    challenge = ceremonies.challenge_in(answer)
    async with transaction(elevated=True) as db:
        await challenges.use(db, challenge, "add", browser)
    key = ceremonies.new_key(answer, challenge)
    async with transaction(elevated=True) as db:
        # So that two at once do not both count as the first.
        await second_factors.one_at_a_time(db, person.user_id)
        have = await _of(db, person.user_id)
        _refuse_more(have)
        passkey = await db.scalar(
            insert(Passkey)
            .values(id=uuid7(), user_id=person.user_id, name=name, **vars(key))
            .on_conflict_do_nothing(index_elements=[Passkey.credential_id])
            .returning(Passkey)
        )
        if passkey is None:
            raise AlreadyAdded("This passkey is known already.")
        await audit.record(db, "passkey.added", person=person, target=passkey.id)
        if have:
            await second_factors.notice(db, person, "passkeys/added", passkey=name)
            return Added(passkey, [], None)
        return Added(passkey, *await second_factors.add(db, person, KIND))


def _refuse_more(have: Sequence[Passkey]) -> None:
    if len(have) >= AT_MOST:
        raise TooManyPasskeys(f"You have {AT_MOST} passkeys; remove one first.")


async def _handle(db: AsyncSession, user_id: UUID) -> bytes:
    """What authenticators call this person; the row is locked until the transaction ends."""
    await db.execute(
        insert(PasskeyHandle)
        .values(id=uuid7(), user_id=user_id, handle=secrets.token_bytes(32))
        .on_conflict_do_nothing(index_elements=[PasskeyHandle.user_id])
    )
    query = select(PasskeyHandle.handle).where(PasskeyHandle.user_id == user_id)
    return (await db.scalars(query.with_for_update())).one()


async def rename(person: Person, passkey_id: UUID, name: str) -> Passkey:
    async with transaction(elevated=True) as db:
        passkey: Passkey | None = await db.scalar(
            update(Passkey)
            .where(Passkey.id == passkey_id, Passkey.user_id == person.user_id)
            .values(name=name)
            .returning(Passkey)
        )
        if passkey is None:
            raise NotFound("No such passkey.")
        await audit.record(db, "passkey.renamed", person=person, target=passkey.id)
    return passkey


async def remove(person: Person, passkey_id: UUID) -> str | None:
    """Forget a passkey and end every other session: one of them may have begun with it.

    With the last one the second factor is off, and this session has the new token that it gives.
    """
    async with transaction(elevated=True) as db:
        await second_factors.one_at_a_time(db, person.user_id)
        name = await db.scalar(
            delete(Passkey)
            .where(Passkey.id == passkey_id, Passkey.user_id == person.user_id)
            .returning(Passkey.name)
        )
        if name is None:
            raise NotFound("No such passkey.")
        await audit.record(db, "passkey.removed", person=person, target=passkey_id)
        if not await _of(db, person.user_id):
            return await second_factors.remove(db, person, KIND)
        await sessions.end_all(db, person.user_id, but=person.session_id)
        await second_factors.notice(db, person, "passkeys/removed", passkey=name)
    return None
