"""Credentials in `Authorization: Bearer`: what programs send in place of a browser's cookie.

A module that gives out such credentials says so in its bearer.py:

    PREFIX                how they begin
    BY_KEY                whether they are keys, which reach nothing that guards the account itself
    identify(credential)  the person behind one, in a statement of its own; None for no good one
    REOPEN                for keys: a statement that finds a row while the key `id` still opens
"""

from starlette.requests import Request

from app.access.person import Person
from app.core.errors import Problem, Unauthorized
from app.modules import parts

SCHEME = "bearer"


class InvalidCredential(Unauthorized):
    def __init__(self) -> None:
        super().__init__("This credential is not valid, or not any more.")
        self.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'


class CredentialInAddress(Problem):
    """Addresses end up in histories and logs, so what came in one is to be replaced."""

    status = 400


def given(request: Request) -> str | None:
    """The bearer credential of a request; None when it brings none.

    Raises `InvalidCredential` for several at once, of which a proxy may have checked another one.
    """
    sent = request.headers.getlist("authorization")
    bearers = [rest.strip() for scheme, _, rest in map(_parted, sent) if scheme.lower() == SCHEME]
    if not bearers:
        return None
    if len(sent) > 1:
        raise InvalidCredential
    return bearers[0]


def _parted(header: str) -> tuple[str, str, str]:
    return header.strip().partition(" ")


async def identify(credential: str) -> Person:
    """Whoever the credential stands for. Raises `InvalidCredential`."""
    for part in parts("bearer"):
        if credential.startswith(part.PREFIX):
            person: Person | None = await part.identify(credential)
            if person is not None:
                return person
    raise InvalidCredential


def refuse_in_address(request: Request) -> None:
    """Raise `CredentialInAddress` when a credential stands in the query, valid or not."""
    query: bytes = request.scope["query_string"]
    if query and any(part.PREFIX.encode() in query for part in parts("bearer")):
        raise CredentialInAddress(
            "Credentials do not belong in an address. Replace this one, and send the new one in"
            " the header Authorization."
        )
