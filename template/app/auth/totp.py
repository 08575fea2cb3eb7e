"""The second factor: codes of an authenticator app (RFC 6238) and recovery codes."""

import secrets
from uuid import UUID

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth.models import RecoveryCode, TotpDevice
from app.auth.schemas import SignedIn
from app.auth.settings import public_url
from app.core.clock import now
from app.core.crypto import decrypt, encrypt, keyed_digest
from app.core.db import transaction
from app.core.errors import Conflict, Invalid
from app.core.settings import answers
from app.limits import lockout
from app.limits.service import Rate, take
from app.mail import service as mail

CODES = 10
TRIES = (
    Rate(5, 300, strict=True),
    Rate(20, 3600, strict=True),
    Rate(50, 86_400, strict=True),
)
"""Per person: a code has a million values, so guessing must stay hopeless."""


class WrongCode(Invalid):
    def __init__(self, detail: str = "This code is wrong or was used already.") -> None:
        super().__init__(detail, errors={"code": detail})


class AlreadyEnrolled(Conflict):
    pass


class NotEnrolled(Conflict):
    pass


def _context(user_id: UUID) -> str:
    return f"totp_devices.secret:{user_id}"


async def confirmed(db: AsyncSession, user_id: UUID) -> bool:
    found = await db.scalar(select(TotpDevice.confirmed_at).where(TotpDevice.user_id == user_id))
    return found is not None


async def begin(person: Person) -> tuple[str, str]:
    """A new secret and its otpauth:// address, for a QR code. Nothing counts until `confirm`."""
    secret = pyotp.random_base32()
    async with transaction(elevated=True) as db:
        if await confirmed(db, person.user_id):
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
    """Finish the enrolment: gives the recovery codes, once, and the session's new token."""
    await _count_try(person)
    async with transaction(elevated=True) as db:
        if await confirmed(db, person.user_id):
            raise AlreadyEnrolled("An authenticator app is set up already; remove it first.")
        await _step(db, person.user_id, code)
        await db.execute(
            update(TotpDevice)
            .where(TotpDevice.user_id == person.user_id)
            .values(confirmed_at=now())
        )
        codes = await _new_codes(db, person.user_id)
        await sessions.end_all(db, person.user_id, but=person.session_id)
        token, _ = await sessions.rotate(
            db, person, proved=False, second_factor=True, factor="totp"
        )
        await audit.record(db, "second_factor.enrolled", person=person)
        await _notice(db, person, "auth/second_factor_on")
    return codes, token


async def accept(person: Person, code: str) -> None:
    """Check a code; of many equal ones at once exactly one is accepted. Raises `WrongCode`."""
    await _count_try(person)
    async with transaction(elevated=True) as db:
        await _step(db, person.user_id, code)


async def finish_sign_in(person: Person, code: str) -> SignedIn:
    """The second step of signing in: the half-way session becomes a full one."""
    await _count_try(person)
    async with transaction(elevated=True) as db:
        await _step(db, person.user_id, code)
        token, session_id = await sessions.rotate(
            db, person, proved=True, second_factor=True, factor="totp"
        )
        await audit.record(db, "session.started", person=person, target=session_id)
    return SignedIn(token, "full", lockout.new_device(person.email))


async def finish_with_recovery_code(person: Person, code: str) -> SignedIn:
    """The same with one of the ten codes for a lost phone."""
    await _count_try(person)
    async with transaction(elevated=True) as db:
        used = await db.scalar(
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == person.user_id,
                RecoveryCode.digest == _code_digest(person.user_id, code),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=now())
            .returning(RecoveryCode.id)
        )
        if used is None:
            raise WrongCode
        token, session_id = await sessions.rotate(
            db, person, proved=True, second_factor=True, factor="recovery_code"
        )
        await audit.record(db, "recovery_code.used", person=person, target=session_id)
        await _notice(
            db, person, "auth/recovery_code_used", left=await codes_left(db, person.user_id)
        )
    return SignedIn(token, "full", lockout.new_device(person.email))


async def remove(person: Person) -> str:
    """Take the second factor away, and end every other session."""
    async with transaction(elevated=True) as db:
        if not await confirmed(db, person.user_id):
            raise NotEnrolled("No authenticator app is set up.")
        for table in (TotpDevice, RecoveryCode):
            await db.execute(delete(table).where(table.user_id == person.user_id))
        await sessions.end_all(db, person.user_id, but=person.session_id)
        token, _ = await sessions.rotate(db, person, proved=False, second_factor=False)
        await audit.record(db, "second_factor.removed", person=person)
        await _notice(db, person, "auth/second_factor_off")
    return token


async def renew_codes(person: Person) -> list[str]:
    """Ten new recovery codes; the old ones stop working."""
    async with transaction(elevated=True) as db:
        if not await confirmed(db, person.user_id):
            raise NotEnrolled("No authenticator app is set up.")
        codes = await _new_codes(db, person.user_id)
        await audit.record(db, "recovery_codes.renewed", person=person)
        await _notice(db, person, "auth/recovery_codes_renewed")
    return codes


async def _count_try(person: Person) -> None:
    for rate in TRIES:
        await take(f"second-factor:{person.user_id}", rate)


async def _step(db: AsyncSession, user_id: UUID, code: str) -> None:
    """Accept a code's time step once: an older or equal one is a replay."""
    device = await db.scalar(select(TotpDevice).where(TotpDevice.user_id == user_id))
    if device is None:
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


async def _new_codes(db: AsyncSession, user_id: UUID) -> list[str]:
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [_new_code() for _ in range(CODES)]
    db.add_all(RecoveryCode(user_id=user_id, digest=_code_digest(user_id, one)) for one in codes)
    return codes


def _new_code() -> str:
    """120 bits, in groups that can be read from paper."""
    letters = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(24))
    return "-".join(letters[i : i + 6] for i in range(0, 24, 6))


def _code_digest(user_id: UUID, code: str) -> bytes:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return keyed_digest(f"{user_id}:{plain}", "recovery code")


async def codes_left(db: AsyncSession, user_id: UUID) -> int:
    return (
        await db.scalar(
            select(func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


async def enrolled(user_id: UUID) -> bool:
    async with transaction(elevated=True) as db:
        return await confirmed(db, user_id)


async def _notice(db: AsyncSession, person: Person, template: str, **values: object) -> None:
    await mail.send(
        db,
        person.email,
        template,
        name=person.display_name,
        link=public_url("/account/security"),
        **values,
    )
