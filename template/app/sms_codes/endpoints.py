from uuid import UUID

from fastapi import APIRouter, Depends, Response

from app.access.access import public
from app.auth import cookies
from app.auth.dependencies import Pending, ProvenSelf, SelfDetached
from app.auth.schemas import SessionState
from app.auth.second_factors import NotEnrolled
from app.core.db import Database, elevated
from app.core.errors import NotFound
from app.core.problems import may
from app.sms_codes import messages, service
from app.sms_codes.budgets import BudgetSpent
from app.sms_codes.dependencies import TEXTS, texts_only
from app.sms_codes.models import Purpose
from app.sms_codes.schemas import (
    CodeIn,
    CodeSent,
    NumberIn,
    PhoneConfirmed,
    PhoneOut,
    PhoneRemoved,
    ProofIn,
    TextOut,
)
from app.users import service as members
from app.users.dependencies import Reader

router = APIRouter()
account = APIRouter(prefix="/api/account/phone", tags=["phone"])
signing_in = APIRouter(prefix="/api/auth/text-message", tags=["auth"])
proving = APIRouter(prefix="/api/auth/prove-again/text-message", tags=["auth"])
dev = APIRouter(
    prefix="/api/dev/texts",
    dependencies=[public(), Depends(texts_only)],
    include_in_schema=False,
)


@router.get("/api/users/{user_id}/phone", tags=["users"], responses=may(NotFound))
async def read_phone_of(user_id: UUID, db: Database, _: Reader) -> PhoneOut | None:
    """The confirmed number of a member, masked for administrators, too."""
    await members.member(db, user_id)
    phone = await service.read_in(db, user_id)
    return PhoneOut.model_validate(phone) if phone else None


@account.get("")
async def read_phone(person: SelfDetached) -> PhoneOut | None:
    """The confirmed number of this account, masked."""
    phone = await service.read(person.user_id)
    return PhoneOut.model_validate(phone) if phone else None


@account.post(
    "", status_code=202, dependencies=[TEXTS], responses=may(service.NotAsFactor, BudgetSpent)
)
async def ask_to_confirm(form: NumberIn, person: ProvenSelf) -> CodeSent:
    """Send a code to a number; with the code it comes on the account, in place of another."""
    sent = await service.ask_to_confirm(person, form.number, as_factor=form.second_factor)
    return CodeSent.model_validate(sent)


@account.post(
    "/second-factor",
    status_code=202,
    dependencies=[TEXTS],
    responses=may(service.NoNumber, BudgetSpent),
)
async def ask_to_use(person: ProvenSelf) -> CodeSent:
    """Send a code to the number on the account; with the code it becomes a second factor."""
    return CodeSent.model_validate(await service.ask_to_use(person))


@account.post("/confirm", responses=may(service.NumberTaken))
async def confirm(form: CodeIn, response: Response, person: SelfDetached) -> PhoneConfirmed:
    """Enter the code, in the session that asked for it."""
    done = await service.confirm(person, form.code)
    return PhoneConfirmed(
        number=done.number,
        recovery_codes=done.recovery_codes,
        csrf_token=_remember(response, done.token),
    )


@account.delete("/second-factor", responses=may(NotEnrolled))
async def stop_use(response: Response, person: ProvenSelf) -> SessionState:
    """Keep the number, and ask for texted codes no more; ends every other session."""
    token = await service.stop_use(person)
    return SessionState(level="full", csrf_token=cookies.remember(response, token))


@account.delete("", responses=may(service.NoNumber))
async def remove(response: Response, person: ProvenSelf) -> PhoneRemoved:
    """Remove the number; it is no second factor any more."""
    return PhoneRemoved(csrf_token=_remember(response, await service.remove(person)))


@signing_in.post("", status_code=202, dependencies=[TEXTS], responses=may(NotEnrolled, BudgetSpent))
async def send_sign_in_code(person: Pending) -> CodeSent:
    """Second step: send a code to the phone."""
    return CodeSent.model_validate(await service.send_code(person, Purpose.SIGN_IN))


@signing_in.post("/confirm", responses=may(service.NotAsFactor))
async def finish_sign_in(form: CodeIn, response: Response, person: Pending) -> SessionState:
    """Second step: enter the code."""
    started = await service.finish_sign_in(person, form.code)
    csrf = cookies.remember(response, started.token, started.device)
    return SessionState(level="full", csrf_token=csrf)


@proving.post("", status_code=202, dependencies=[TEXTS], responses=may(NotEnrolled, BudgetSpent))
async def send_proof_code(person: SelfDetached) -> CodeSent:
    """Send a code to the phone, to prove it again with."""
    return CodeSent.model_validate(await service.send_code(person, Purpose.PROOF))


@proving.post("/confirm", responses=may(service.NotAsFactor))
async def prove_again(form: ProofIn, response: Response, person: SelfDetached) -> SessionState:
    """Password and texted code: opens sensitive actions for a while."""
    token = await service.prove_again(person, form.password.get_secret_value(), form.code)
    return SessionState(level="full", csrf_token=cookies.remember(response, token))


@dev.get("")
async def list_texts(db: Database) -> list[TextOut]:
    """The newest messages."""
    async with elevated(db):
        return [TextOut.model_validate(one) for one in await messages.inbox(db)]


def _remember(response: Response, token: str | None) -> str | None:
    return cookies.remember(response, token) if token else None


for part in (account, signing_in, proving, dev):
    router.routes.extend(part.routes)
