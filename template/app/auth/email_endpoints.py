"""Another mail address for one's own account."""

from fastapi import APIRouter, Response

from app.auth import cookies, email_change, links
from app.auth.dependencies import ProvenSelf, SelfDetached
from app.auth.schemas import EmailOut, LinkToken, NewEmail, SessionState, Told
from app.core.errors import NotFound
from app.core.problems import may

router = APIRouter(prefix="/api/auth/email", tags=["auth"])


@router.get("")
async def read_email(person: SelfDetached) -> EmailOut:
    """One's address, and the one that may take its place."""
    change = await email_change.pending(person)
    return EmailOut(
        email=person.email,
        pending=change.email if change else None,
        expires_at=change.expires_at if change else None,
    )


@router.post("", status_code=202)
async def request_email(form: NewEmail, person: ProvenSelf) -> Told:
    """Ask for another address. The answer never tells whether it has an account."""
    await email_change.request(person, form.email)
    return Told(message="Confirm the new address with the link that we have mailed to it.")


@router.delete("", status_code=204, responses=may(NotFound))
async def withdraw_email(person: SelfDetached) -> None:
    """Withdraw a change that is not confirmed yet."""
    await email_change.withdraw(person)


@router.post("/confirm", responses=may(links.LinkExpired, email_change.AddressTaken))
async def confirm_email(form: LinkToken, response: Response, person: SelfDetached) -> SessionState:
    """Confirm the new address with the mailed link; ends every other session."""
    changed = await email_change.confirm(person, form.token)
    csrf = cookies.remember(response, changed.token, changed.device)
    return SessionState(level="full", csrf_token=csrf)
