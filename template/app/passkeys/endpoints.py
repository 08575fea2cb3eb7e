from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.access.access import public
from app.access.forgery import token_for
from app.auth import cookies
from app.auth.dependencies import SIGN_INS, Pending, ProvenSelf, SelfDetached, where_from
from app.auth.schemas import SessionState
from app.core.problems import may
from app.passkeys import proofs, service
from app.passkeys.dependencies import STRANGERS_OPTIONS, TriesLimit
from app.passkeys.schemas import (
    NewPasskey,
    Options,
    PasskeyAdded,
    PasskeyOut,
    Proven,
    Rename,
)

router = APIRouter(prefix="/api/passkeys", tags=["passkeys"])


@router.get("")
async def list_passkeys(person: SelfDetached) -> list[PasskeyOut]:
    """The passkeys of this account."""
    return [PasskeyOut.model_validate(one) for one in await service.of_person(person.user_id)]


@router.post("/options", responses=may(service.TooManyPasskeys))
async def begin_to_add(request: Request, person: ProvenSelf) -> Options:
    """What `navigator.credentials.create()` needs to make a passkey. Good for five minutes."""
    return Options(public_key=await service.options(person, token_for(request)))


@router.post("", status_code=201, responses=may(service.AlreadyAdded))
async def add_passkey(
    form: NewPasskey, request: Request, response: Response, person: ProvenSelf
) -> PasskeyAdded:
    """Add the passkey that was made. With the first come recovery codes, if there are none yet,
    and every other session ends: from now on signing in asks for it."""
    added = await service.add(person, token_for(request), form.name, form.credential)
    csrf = cookies.remember(response, added.token) if added.token else None
    passkey = PasskeyOut.model_validate(added.passkey)
    return PasskeyAdded(passkey=passkey, codes=added.codes, csrf_token=csrf)


@router.patch("/{passkey_id}")
async def rename_passkey(passkey_id: UUID, form: Rename, person: SelfDetached) -> PasskeyOut:
    """Give a passkey another name."""
    return PasskeyOut.model_validate(await service.rename(person, passkey_id, form.name))


@router.delete("/{passkey_id}")
async def remove_passkey(
    passkey_id: UUID, request: Request, response: Response, person: ProvenSelf
) -> SessionState:
    """Remove a passkey; ends every other session."""
    token = await service.remove(person, passkey_id)
    csrf = cookies.remember(response, token) if token else token_for(request)
    return SessionState(level="full", csrf_token=csrf)


@router.post("/sign-in/options", dependencies=[public(), STRANGERS_OPTIONS])
async def begin_to_sign_in(request: Request, response: Response) -> Options:
    """What `navigator.credentials.get()` needs to sign in without a password.

    The same for everyone; the answer must come with the cookies that this sets.
    """
    options = await proofs.options("sign-in", token_for(request))
    cookies.name_browser(request, response)
    response.headers["X-CSRF-Token"] = token_for(request)
    return Options(public_key=options)


@router.post("/sign-in", dependencies=[public(), SIGN_INS], responses=may(proofs.WrongPasskey))
async def sign_in(form: Proven, request: Request, response: Response) -> SessionState:
    """Sign in with a passkey alone; it counts as two factors."""
    started = await proofs.begin_session(form.credential, token_for(request), **where_from(request))
    csrf = cookies.remember(response, started.token, started.device)
    return SessionState(level="full", csrf_token=csrf)


@router.post("/second-factor/options")
async def begin_second_step(request: Request, person: Pending, _: TriesLimit) -> Options:
    """What `navigator.credentials.get()` needs for the second step of signing in."""
    options = await proofs.options("second-factor", token_for(request), person)
    return Options(public_key=options)


@router.post("/second-factor")
async def finish_sign_in(
    form: Proven, request: Request, response: Response, person: Pending, _: TriesLimit
) -> SessionState:
    """Second step: a passkey instead of a code."""
    started = await proofs.finish_sign_in(person, form.credential, token_for(request))
    csrf = cookies.remember(response, started.token, started.device)
    return SessionState(level="full", csrf_token=csrf)


@router.post("/confirm/options")
async def begin_to_confirm(request: Request, person: SelfDetached, _: TriesLimit) -> Options:
    """What `navigator.credentials.get()` needs to prove again who is there."""
    return Options(public_key=await proofs.options("confirm", token_for(request), person))


@router.post("/confirm")
async def prove_again(
    form: Proven, request: Request, response: Response, person: SelfDetached, _: TriesLimit
) -> SessionState:
    """A passkey instead of password and code: opens sensitive actions for a while."""
    token = await proofs.prove_again(person, form.credential, token_for(request))
    return SessionState(level="full", csrf_token=cookies.remember(response, token))
