"""Codes of an authenticator app (RFC 6238)."""

from uuid import UUID

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.auth import second_factors
from app.auth.factor import FACTOR
from app.auth.models import TotpDevice
from app.auth.schemas import SignedIn
from app.auth.second_factors import AlreadyEnrolled, NotEnrolled, WrongCode
from app.core.clock import now
from app.core.crypto import decrypt, encrypt
from app.core.db import transaction
from app.core.settings import answers

KIND = FACTOR.kind


def _context(user_id: UUID) -> str:
    return f"totp_devices.secret:{user_id}"


async def _confirmed(db: AsyncSession, user_id: UUID) -> bool:
    found = await db.scalar(select(TotpDevice.confirmed_at).where(TotpDevice.user_id == user_id))
    return found is not None


async def begin(person: Person) -> tuple[str, str]:
    """A new secret and its otpauth:// address, for a QR code. Nothing counts until `confirm`."""
    secret = pyotp.random_base32()
    async with transaction(elevated=True) as db:
        if await _confirmed(db, person.user_id):
            raise AlreadyEnrolled("An authenticator app is set up already; remove it first.")
        hidden = encrypt(secret, _context(person.user_id))
        # Two at once make one device, and neither replaces one that was confirmed meanwhile.
        await db.execute(
            insert(TotpDevice)
            .values(user_id=person.user_id, secret=hidden)
            .on_conflict_do_update(
                index_elements=[TotpDevice.user_id],
                set_={"secret": hidden, "last_step": None},
                where=TotpDevice.confirmed_at.is_(None),
            )
        )
    return secret, _uri(person, secret)


async def pending_secret(person: Person) -> tuple[str, str]:
    """The secret of an enrolment under way, to show its page again."""
    async with transaction(elevated=True) as db:
        device = await db.scalar(select(TotpDevice).where(TotpDevice.user_id == person.user_id))
    if device is None or device.confirmed_at:
        raise NotEnrolled("Start again: no enrolment is under way.")
    secret = decrypt(device.secret, _context(person.user_id))
    return secret, _uri(person, secret)


def _uri(person: Person, secret: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(
        name=person.email, issuer_name=str(answers()["project"]["name"])
    )


async def confirm(person: Person, code: str) -> tuple[list[str], str]:
    """Finish the enrolment: recovery codes when it is the first factor, and the new token."""
    await second_factors.count_try(person)
    async with transaction(elevated=True) as db:
        if await _confirmed(db, person.user_id):
            raise AlreadyEnrolled("An authenticator app is set up already; remove it first.")
        await _step(db, person.user_id, code, confirmed=False)
        await db.execute(
            update(TotpDevice)
            .where(TotpDevice.user_id == person.user_id)
            .values(confirmed_at=now())
        )
        return await second_factors.add(db, person, KIND)


async def accept(person: Person, code: str) -> None:
    """Check a code; of many equal ones at once exactly one is accepted. Raises `WrongCode`."""
    await second_factors.count_try(person)
    async with second_factors.telling(person, KIND), transaction(elevated=True) as db:
        await _step(db, person.user_id, code)


async def finish_sign_in(person: Person, code: str) -> SignedIn:
    """The second step of signing in."""
    await second_factors.count_try(person)
    async with second_factors.telling(person, KIND), transaction(elevated=True) as db:
        await _step(db, person.user_id, code)
        return await second_factors.finish(db, person, KIND)


async def remove(person: Person) -> str:
    """Take the app away, and end every other session. Gives the session's new token."""
    async with transaction(elevated=True) as db:
        if not await _confirmed(db, person.user_id):
            raise NotEnrolled("No authenticator app is set up.")
        await db.execute(delete(TotpDevice).where(TotpDevice.user_id == person.user_id))
        return await second_factors.remove(db, person, KIND)


async def _step(db: AsyncSession, user_id: UUID, code: str, *, confirmed: bool = True) -> None:
    """Accept a code's time step once: an older or equal one is a replay."""
    device = await db.scalar(select(TotpDevice).where(TotpDevice.user_id == user_id))
    # One that is only about to be set up opens nothing, whatever other factor there is.
    if device is None or (device.confirmed_at is not None) is not confirmed:
        raise NotEnrolled("No authenticator app is set up.")
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdecimal()):
        raise WrongCode
    secret = decrypt(device.secret, _context(user_id))
    try:
        step = pyotp.TOTP(secret).verify_and_get_timecode(digits, valid_window=1)
    except OTPVerificationError as error:
        raise WrongCode from error
    fresh = await db.scalar(
        update(TotpDevice)
        .where(
            TotpDevice.id == device.id,
            or_(TotpDevice.last_step.is_(None), TotpDevice.last_step < step),
        )
        .values(last_step=step)
        .returning(TotpDevice.id)
    )
    if fresh is None:
        raise WrongCode
