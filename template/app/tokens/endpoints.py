from fastapi import APIRouter, Request, Response

from app.abuse import gate
from app.access.access import public
from app.auth.dependencies import Attempt, Pending, SelfDetached
from app.auth.schemas import Proof
from app.auth.second_factors import NotEnrolled
from app.auth.sign_in import WrongCredentials
from app.core.problems import may
from app.limits.addresses import client_address
from app.limits.dependencies import limited
from app.limits.service import Rate
from app.tokens import service
from app.tokens.schemas import Refresh, TokenSecondFactor, TokenSignIn, TokensOut
from app.users.entrance import AccountSuspended

REFRESHES = limited("token-refresh", Rate(60, 60, strict=True))

router = APIRouter(prefix="/api/auth/token", tags=["tokens"])


@router.post(
    "",
    dependencies=[public()],
    openapi_extra=gate.ANSWERS,
    responses=may(WrongCredentials, AccountSuspended),
)
async def begin(
    form: TokenSignIn, request: Request, response: Response, attempt: Attempt
) -> TokensOut:
    """Sign in as a program: the password. With a second factor the level is "pending" after it."""
    await gate.enter(request, "sign-in", form.email)
    issued = await service.begin(
        form.email,
        form.password.get_secret_value(),
        attempt,
        device=form.device_name,
        address=client_address(request.scope),
    )
    return _told(issued, response)


@router.post("/second-factor", responses=may(NotEnrolled))
async def finish(form: TokenSecondFactor, response: Response, person: Pending) -> TokensOut:
    """Second step, with the access token of the first one."""
    return _told(await service.finish(person, form.method, form.code), response)


@router.post("/prove-again")
async def prove_again(form: Proof, response: Response, person: SelfDetached) -> TokensOut:
    """Password, and code when there is a second factor: opens sensitive actions for a while.

    Gives new tokens; the ones before work no more.
    """
    return _told(await service.prove_again(person, form), response)


@router.post(
    "/refresh",
    dependencies=[public(), REFRESHES],
    responses=may(service.InvalidRefreshToken),
)
async def refresh(form: Refresh, response: Response) -> TokensOut:
    """New tokens for a refresh token, which works once. A used one ends the session."""
    return _told(await service.refresh(form.refresh_token), response)


def _told(issued: service.Issued, response: Response) -> TokensOut:
    response.headers["Cache-Control"] = "no-store"
    return TokensOut.model_validate(issued)
