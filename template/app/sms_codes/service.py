"""A phone number on an account, and texted codes as its second factor."""

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth import second_factors, sign_in
from app.auth.schemas import SignedIn
from app.core.clock import now
from app.core.crypto import decrypt, encrypt
from app.core.db import elevated, transaction
from app.core.errors import Conflict
from app.core.ids import uuid7
from app.core.settings import answers, get_settings
from app.sms_codes import budgets, codes, messages
from app.sms_codes.codes import WrongCode
from app.sms_codes.models import PhoneNumber, Purpose, SmsCode, SmsDay
from app.sms_codes.numbers import Number, known, parse
from app.sms_codes.settings import SmsSettings

KIND = "sms"
SAYS = {
    Purpose.NUMBER: "is your code to confirm this number for",
    Purpose.SIGN_IN: "is your code to sign in to",
    Purpose.PROOF: "is your code to confirm a change at",
}


class NoNumber(Conflict):
    def __init__(self) -> None:
        super().__init__("There is no confirmed phone number on this account.")


class NotAsFactor(Conflict):
    def __init__(self) -> None:
        super().__init__("Text messages cannot be a second factor here.")


class NumberTaken(Conflict):
    """Told only to who proved that the number is theirs."""

    def __init__(self) -> None:
        super().__init__("This number is on as many accounts as it can be. Use another one.")


@dataclass(frozen=True)
class Phone:
    """What a person sees of their number."""

    number: str
    """Masked."""
    confirmed_at: datetime
    second_factor: bool


@dataclass(frozen=True)
class Waiting:
    """A code that was asked for in this session and still counts."""

    number: str
    """Masked."""
    expires_at: datetime
    failed: bool
    """The message with it could not be sent."""
    as_factor: bool


@dataclass(frozen=True)
class Confirmed:
    """What follows from a confirmed number; recovery codes and token when it became a factor."""

    number: str
    recovery_codes: list[str] = field(repr=False)
    token: str | None = field(repr=False)
    as_factor: bool = False


# The number -------------------------------------------------------------------------------------


async def read(user_id: UUID) -> Phone | None:
    async with transaction(elevated=True) as db:
        return await read_in(db, user_id)


async def read_in(db: AsyncSession, user_id: UUID) -> Phone | None:
    """The same in the caller's transaction, whose organisation's member this is."""
    async with elevated(db):
        row = await _row(db, user_id)
        if row is None:
            return None
        kinds = await second_factors.kinds(db, user_id)
    return Phone(_number(row).masked, row.created_at, KIND in kinds)


async def ask_to_confirm(person: Person, text: str, *, as_factor: bool = False) -> Waiting:
    """Send a code to a number that someone says is theirs."""
    number = parse(text)
    if as_factor:
        _refuse_forbidden()
    return await _send(person, Purpose.NUMBER, number, as_factor=as_factor)


async def ask_to_use(person: Person) -> Waiting:
    """Send a code to the number on the account, to make it a second factor."""
    _refuse_forbidden()
    async with transaction(elevated=True) as db:
        row = await _row(db, person.user_id)
        if row is None:
            raise NoNumber
        number = parse(_number(row).e164)
    return await _send(person, Purpose.NUMBER, number, as_factor=True)


async def ask_again(person: Person) -> Waiting:
    """Send a new code to the number that this session waits for."""
    async with transaction(elevated=True) as db:
        row = await _waiting_code(db, person, Purpose.NUMBER)
    if row is None:
        raise NoNumber
    number = parse(codes.number_of(row).e164)
    return await _send(person, Purpose.NUMBER, number, as_factor=row.as_factor)


async def confirm(person: Person, code: str) -> Confirmed:
    """Put the number whose code this is on the account, in place of the one before."""
    await codes.count_guess(person)
    async with transaction(elevated=True) as db:
        row = await codes.accept(db, person, Purpose.NUMBER, code)
        number = codes.number_of(row) if row else None
        taken = number is not None and await _is_taken(db, number, person.user_id)
        if row and number and not taken:
            return await _put(db, person, number, as_factor=row.as_factor)
    raise NumberTaken if taken else WrongCode


async def _put(db: AsyncSession, person: Person, number: Number, *, as_factor: bool) -> Confirmed:
    before = await _row(db, person.user_id)
    changed = before is not None and before.digest != number.digest
    if before:
        await db.execute(delete(PhoneNumber).where(PhoneNumber.id == before.id))
    new_id = uuid7()
    db.add(
        PhoneNumber(
            id=new_id,
            user_id=person.user_id,
            number=encrypt(number.e164, _place(new_id)),
            digest=number.digest,
        )
    )
    await codes.forget(db, person.user_id)
    recovery_codes, token = await _settle_factor(db, person, changed, as_factor=as_factor)
    await audit.record(db, "phone.changed" if changed else "phone.confirmed", person=person)
    if before is None or changed:
        await second_factors.notice(
            db,
            person,
            "sms_codes/number_set",
            number=number.masked,
            before=_number(before).masked if before else "",
        )
    on = KIND in await second_factors.kinds(db, person.user_id)
    return Confirmed(number.masked, recovery_codes, token, as_factor=on)


async def _settle_factor(
    db: AsyncSession, person: Person, changed: bool, *, as_factor: bool
) -> tuple[list[str], str | None]:
    """A changed number is no factor any more, until it is made one."""
    on = KIND in await second_factors.kinds(db, person.user_id)
    if as_factor and SmsSettings.load().factor_allowed:
        if on and not changed:
            return [], None
        if on:
            await second_factors.disable(db, person.user_id, KIND)
        return await second_factors.add(db, person, KIND)
    if on and changed:
        return [], await second_factors.remove(db, person, KIND)
    return [], None


async def remove(person: Person) -> str | None:
    """Take the number off the account. Gives the session's new token when it was a factor."""
    async with transaction(elevated=True) as db:
        row = await db.scalar(
            delete(PhoneNumber).where(PhoneNumber.user_id == person.user_id).returning(PhoneNumber)
        )
        if row is None:
            raise NoNumber
        await codes.forget(db, person.user_id)
        token = None
        if KIND in await second_factors.kinds(db, person.user_id):
            token = await second_factors.remove(db, person, KIND)
        await audit.record(db, "phone.removed", person=person)
        await second_factors.notice(
            db, person, "sms_codes/number_removed", number=_number(row).masked
        )
    return token


async def stop_use(person: Person) -> str:
    """The number stays, and is no second factor any more. Gives the session's new token."""
    async with transaction(elevated=True) as db:
        if KIND not in await second_factors.kinds(db, person.user_id):
            raise second_factors.NotEnrolled("Text messages are not your second factor.")
        return await second_factors.remove(db, person, KIND)


# The second factor ------------------------------------------------------------------------------


async def send_code(person: Person, purpose: Purpose) -> Waiting:
    """Send a code to the number that is a second factor."""
    return await _send(person, purpose, await _factor_number(person))


async def _factor_number(person: Person) -> Number:
    _refuse_forbidden()
    async with transaction(elevated=True) as db:
        row = await _row(db, person.user_id)
        if row is None or KIND not in await second_factors.kinds(db, person.user_id):
            raise second_factors.NotEnrolled("Text messages are not your second factor.")
        # Parsed anew: the country may not be served any more.
        return parse(_number(row).e164)


async def finish_sign_in(person: Person, code: str) -> SignedIn:
    """The second step of signing in."""
    await second_factors.count_try(person)
    _refuse_forbidden()
    async with transaction(elevated=True) as db:
        if await codes.accept(db, person, Purpose.SIGN_IN, code):
            return await second_factors.finish(db, person, KIND)
    await second_factors.failed(person, KIND)
    raise WrongCode


async def prove_again(person: Person, password: str, code: str) -> str:
    """Password and texted code before a sensitive action. Gives the session's new token."""
    await sign_in.check_password(person, password)
    await second_factors.count_try(person)
    _refuse_forbidden()
    async with transaction(elevated=True) as db:
        if await codes.accept(db, person, Purpose.PROOF, code):
            return await second_factors.proved(db, person, KIND)
    await second_factors.failed(person, KIND)
    raise WrongCode


async def waiting(person: Person, purpose: Purpose) -> Waiting | None:
    """The code that this session can enter now."""
    async with transaction(elevated=True) as db:
        row = await _waiting_code(db, person, purpose)
        if row is None:
            return None
        phone = await _row(db, person.user_id)
        failed = await messages.newest_failed(db, person.user_id, known=row.known)
    if row.number:
        number = codes.number_of(row)
    elif phone:
        number = _number(phone)
    else:
        return None
    return Waiting(number.masked, row.expires_at, failed, row.as_factor)


async def _waiting_code(db: AsyncSession, person: Person, purpose: Purpose) -> SmsCode | None:
    found: SmsCode | None = await db.scalar(
        select(SmsCode).where(
            SmsCode.user_id == person.user_id,
            SmsCode.purpose == purpose,
            SmsCode.session_id == person.session_id,
            SmsCode.expires_at > now(),
            SmsCode.tries < codes.TRIES,
        )
    )
    return found


# Shared -----------------------------------------------------------------------------------------


async def _send(
    person: Person, purpose: Purpose, number: Number, *, as_factor: bool = False
) -> Waiting:
    at_home = purpose == Purpose.SIGN_IN and await _from_known(person)
    await budgets.take_turn(person, purpose, known=at_home)
    tired = await budgets.number_is_tired(number, purpose, known=at_home)
    async with transaction(elevated=True) as db:
        new = number if purpose == Purpose.NUMBER else None
        code, ends = await codes.issue(
            db, person, purpose, number=new, as_factor=as_factor, known=at_home
        )
        if not tired:
            await budgets.take_of_day(db, number.country, purpose)
            words = _words(purpose, code)
            await messages.send(db, person.user_id, number, words, ends, known=at_home)
        await audit.record(
            db,
            "sms_code.withheld" if tired else "sms_code.asked",
            person=person,
            detail={"purpose": purpose, "country": number.country},
        )
    return Waiting(number.masked, ends, failed=False, as_factor=as_factor)


async def _from_known(person: Person) -> bool:
    """Whether this sign-in began in a browser from which the person had signed in before."""
    async with transaction(elevated=True) as db:
        return await sessions.device(db, person.session_id) is not None


def _words(purpose: Purpose, code: str) -> str:
    """The last line is for phones: they offer the code on our own pages only (WebOTP)."""
    host = urlsplit(get_settings().public_url).hostname
    name = answers()["project"]["name"]
    return (
        f"{code} {SAYS[purpose]} {name}. It counts for {codes.MINUTES} minutes."
        f" Tell it to nobody.\n\n@{host} #{code}"
    )


def _refuse_forbidden() -> None:
    if not SmsSettings.load().factor_allowed:
        raise NotAsFactor


async def _is_taken(db: AsyncSession, number: Number, user_id: UUID) -> bool:
    """Whether a number is on enough other accounts already; nobody else counts it meanwhile."""
    lock = int.from_bytes(number.digest[:8], signed=True)
    await db.execute(select(func.pg_advisory_xact_lock(lock)))
    others = await db.scalar(
        select(func.count())
        .select_from(PhoneNumber)
        .where(PhoneNumber.digest == number.digest, PhoneNumber.user_id != user_id)
    )
    return (others or 0) >= SmsSettings.load().accounts_per_number


async def _row(db: AsyncSession, user_id: UUID) -> PhoneNumber | None:
    found: PhoneNumber | None = await db.scalar(
        select(PhoneNumber).where(PhoneNumber.user_id == user_id)
    )
    return found


def _number(row: PhoneNumber) -> Number:
    return known(decrypt(row.number, _place(row.id)))


def _place(row_id: UUID) -> str:
    return f"phone_numbers.number:{row_id}"


async def remove_old(db: AsyncSession) -> None:
    """Delete codes that have ended, old notes of messages and old counts."""
    await db.execute(delete(SmsCode).where(SmsCode.expires_at < now()))
    await messages.remove_old(db)
    await db.execute(delete(SmsDay).where(SmsDay.day < func.current_date() - 31))
