"""Codes of six digits: for one session and one purpose, ten minutes, five tries, one use."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.clock import now
from app.core.crypto import decrypt, encrypt, keyed_digest, same
from app.core.errors import Invalid
from app.core.ids import uuid7
from app.limits.service import Rate, take
from app.sms_codes.models import Purpose, SmsCode
from app.sms_codes.numbers import Number, known

DIGITS = 6
MINUTES = 10
TRIES = 5
# Over all codes: asking for another one is no way to guess on.
GUESSES = (
    Rate(10, 600, strict=True),
    Rate(20, 3600, strict=True),
    Rate(50, 86_400, strict=True),
)


class WrongCode(Invalid):
    def __init__(self) -> None:
        detail = "This code is wrong or does not count any more. Ask for a new one if need be."
        super().__init__(detail, errors={"code": detail})


async def issue(
    db: AsyncSession,
    person: Person,
    purpose: Purpose,
    *,
    number: Number | None = None,
    as_factor: bool = False,
    known: bool = False,
) -> tuple[str, datetime]:
    """A new code and when it ends; the one before, in whatever session, counts no more.

    Who asks from a `known` browser has one beside that of strangers, who so end none of theirs.
    """
    new_id = uuid7()
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    ends = now() + timedelta(minutes=MINUTES)
    values = {
        "id": new_id,
        "session_id": person.session_id,
        "digest": _digest(new_id, code),
        "tries": 0,
        "expires_at": ends,
        "number": encrypt(number.e164, _place(new_id)) if number else None,
        "as_factor": as_factor,
    }
    await db.execute(
        insert(SmsCode)
        .values(user_id=person.user_id, purpose=purpose, known=known, **values)
        .on_conflict_do_update(
            index_elements=[SmsCode.user_id, SmsCode.purpose, SmsCode.known], set_=values
        )
    )
    return code, ends


async def count_guess(person: Person) -> None:
    """Count a guess at the code for a number; signing in counts with all second factors."""
    for rate in GUESSES:
        await take(f"sms-code:{person.user_id}", rate)


async def accept(db: AsyncSession, person: Person, purpose: Purpose, code: str) -> SmsCode | None:
    """The code's row when it is the right one; it counts once, however many send it at once.

    None when it is wrong: the caller commits all the same, so that the try is counted.
    """
    # The update holds the row until the commit: of two at once, the second finds it gone.
    row: SmsCode | None = await db.scalar(
        update(SmsCode)
        .where(
            SmsCode.user_id == person.user_id,
            SmsCode.purpose == purpose,
            SmsCode.session_id == person.session_id,
            SmsCode.tries < TRIES,
            SmsCode.expires_at > func.clock_timestamp(),
        )
        .values(tries=SmsCode.tries + 1)
        .returning(SmsCode)
    )
    if row is None or not same(row.digest, _digest(row.id, "".join(code.split()))):
        return None
    await db.execute(delete(SmsCode).where(SmsCode.id == row.id))
    return row


async def forget(db: AsyncSession, user_id: UUID) -> None:
    """End every code of a person."""
    await db.execute(delete(SmsCode).where(SmsCode.user_id == user_id))


def number_of(row: SmsCode) -> Number:
    """The number that a code confirms."""
    return known(decrypt(row.number or b"", _place(row.id)))


def _digest(code_id: UUID, code: str) -> bytes:
    return keyed_digest(f"{code_id}:{code}", "sms code")


def _place(code_id: UUID) -> str:
    return f"sms_codes.number:{code_id}"
