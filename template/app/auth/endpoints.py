from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.abuse import gate
from app.access.access import public
from app.access.forgery import token_for
from app.auth import (
    cookies,
    email_endpoints,
    links,
    people_endpoints,
    reset,
    second_factors,
    security,
    sign_in,
    sign_up,
    totp,
)
from app.auth.dependencies import (
    LINKS,
    RESETS,
    SIGN_UPS,
    Attempt,
    Leaving,
    Pending,
    ProvenSelf,
    Self,
    SelfDetached,
    where_from,
)
from app.auth.schemas import (
    Activation,
    CodeIn,
    Enrolment,
    OpenerOut,
    PasswordChange,
    Proof,
    RecoveryCodes,
    Reset,
    ResetDone,
    ResetRequest,
    SecondFactor,
    SecurityOut,
    SessionOut,
    SessionState,
    SignIn,
    SignUp,
    Told,
)
from app.core.db import Database
from app.core.problems import may
from app.users.service import InvitationExpired

router = APIRouter(prefix="/api/auth", tags=["auth"])
for part in (people_endpoints, email_endpoints):
    router.routes.extend(part.router.routes)

WRITTEN = Told(message="Look into your mail: we have written to you.")


@router.get("/session", dependencies=[public()])
async def read_session(request: Request, response: Response) -> Told:
    """Give the browser a token against request forgery, in the header X-CSRF-Token."""
    cookies.name_browser(request, response)
    response.headers["X-CSRF-Token"] = token_for(request)
    return Told(message="Send X-CSRF-Token with every change.")


@router.post(
    "/sign-up",
    status_code=202,
    dependencies=[public(), SIGN_UPS],
    openapi_extra=gate.ANSWERS,
    responses=may(InvitationExpired),
)
async def register(form: SignUp, request: Request) -> Told:
    """Ask for an account. The answer never tells whether one exists; the mail does."""
    if form.invitation is None:
        await gate.enter(request, "sign-up", form.email)
    await sign_up.register(
        form.email,
        form.password.get_secret_value(),
        form.display_name,
        invitation=form.invitation,
    )
    return WRITTEN


@router.post("/activate", dependencies=[public(), LINKS], responses=may(links.LinkExpired))
async def activate(form: Activation, request: Request, response: Response) -> SessionState:
    """Confirm the mail address with the mailed link and the password; signs in."""
    account = await sign_up.activate(form.token, form.password.get_secret_value())
    started = await sign_in.start_session(
        account.user_id,
        account.organization_id,
        email=account.email,
        method="password",
        **where_from(request),
    )
    return SessionState(
        level="full", csrf_token=cookies.remember(response, started.token, started.device)
    )


@router.post(
    "/sign-in",
    dependencies=[public()],
    openapi_extra=gate.ANSWERS,
    responses=may(sign_in.WrongCredentials),
)
async def start_session(
    form: SignIn, request: Request, response: Response, attempt: Attempt
) -> SessionState:
    """First step: the password. With a second factor the session is "pending" after it."""
    await gate.enter(request, "sign-in", form.email)
    started = await sign_in.sign_in(
        form.email, form.password.get_secret_value(), attempt, **where_from(request)
    )
    csrf = cookies.remember(response, started.token, started.device)
    return SessionState(
        level=started.level, csrf_token=csrf, second_factors=list(started.second_factors)
    )


@router.post("/second-factor", responses=may(second_factors.NotEnrolled))
async def finish_sign_in(form: SecondFactor, response: Response, person: Pending) -> SessionState:
    """Second step: a code of the authenticator app, or a recovery code."""
    by_app = form.method == "totp"
    finish = totp.finish_sign_in if by_app else second_factors.finish_with_recovery_code
    started = await finish(person, form.code)
    csrf = cookies.remember(response, started.token, started.device)
    return SessionState(level="full", csrf_token=csrf)


@router.post("/sign-out", status_code=204)
async def end_session(response: Response, db: Database, person: Leaving) -> None:
    """End this session."""
    await sign_in.sign_out(db, person)
    cookies.forget(response)


@router.post("/prove-again")
async def prove_again(form: Proof, response: Response, person: SelfDetached) -> SessionState:
    """Password, and code when there is a second factor: opens sensitive actions for a while."""
    token = await sign_in.prove(person, form)
    return SessionState(level="full", csrf_token=cookies.remember(response, token))


@router.post(
    "/password-reset",
    status_code=202,
    dependencies=[public(), RESETS],
    openapi_extra=gate.ANSWERS,
)
async def request_reset(form: ResetRequest, request: Request) -> Told:
    """Ask for a link to set a new password. The answer is the same for every address."""
    await gate.enter(request, "sign-in", form.email)
    await reset.request(form.email, where_from(request)["device"])
    return WRITTEN


@router.post(
    "/password-reset/finish", dependencies=[public(), LINKS], responses=may(links.LinkExpired)
)
async def finish_reset(form: Reset) -> ResetDone:
    """Set a new password with the mailed link; ends every session."""
    found = await reset.finish(
        form.token, form.password.get_secret_value(), end_api_keys=form.end_api_keys
    )
    return ResetDone(
        message="The new password is set. Sign in with it.",
        opens=[OpenerOut.model_validate(one, from_attributes=True) for one in found],
    )


@router.put("/password")
async def change_password(
    form: PasswordChange, response: Response, person: SelfDetached
) -> SessionState:
    """Set a new password; ends every other session."""
    token = await sign_in.change_password(
        person, form.old.get_secret_value(), form.new.get_secret_value()
    )
    return SessionState(level="full", csrf_token=cookies.remember(response, token))


@router.get("/security")
async def read_security(person: SelfDetached) -> SecurityOut:
    """How this account is protected."""
    found = await security.read(person)
    return SecurityOut(
        second_factor=bool(found.second_factors),
        second_factors=found.second_factors,
        recovery_codes_left=found.recovery_codes_left,
        opens=[OpenerOut.model_validate(one, from_attributes=True) for one in found.opens],
    )


@router.post("/totp", status_code=201, responses=may(second_factors.AlreadyEnrolled))
async def begin_totp(person: ProvenSelf) -> Enrolment:
    """Begin to set up an authenticator app; nothing counts until the first code is confirmed."""
    secret, uri = await totp.begin(person)
    return Enrolment(secret=secret, uri=uri)


@router.post("/totp/confirm", responses=may(second_factors.NotEnrolled))
async def confirm_totp(form: CodeIn, response: Response, person: ProvenSelf) -> RecoveryCodes:
    """Finish with a first code; ends every other session.

    Gives recovery codes when it is the first of the second factors.
    """
    codes, token = await totp.confirm(person, form.code)
    return RecoveryCodes(codes=codes, csrf_token=cookies.remember(response, token))


@router.delete("/totp", responses=may(second_factors.NotEnrolled))
async def remove_totp(response: Response, person: ProvenSelf) -> SessionState:
    """Remove the authenticator app; ends every other session."""
    token = await totp.remove(person)
    return SessionState(level="full", csrf_token=cookies.remember(response, token))


@router.post("/recovery-codes", responses=may(second_factors.NotEnrolled))
async def renew_codes(person: ProvenSelf) -> RecoveryCodes:
    """Ten new recovery codes in place of the old ones."""
    return RecoveryCodes(codes=await second_factors.renew_codes(person))


@router.get("/sessions")
async def list_sessions(person: SelfDetached) -> list[SessionOut]:
    """Where this person is signed in."""
    found = await security.read(person)
    return [SessionOut.shown_to(person, one) for one in found.sessions]


@router.delete("/sessions/{session_id}", status_code=204)
async def revoke_session(session_id: UUID, db: Database, person: Self) -> None:
    """End one session of one's own."""
    await security.end_session(db, person, session_id)


@router.delete("/sessions", status_code=204)
async def revoke_other_sessions(db: Database, person: Self) -> None:
    """End every session but this one."""
    await security.end_other_sessions(db, person)
