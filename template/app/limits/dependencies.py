"""A limit of its own for a route.

dependencies=[public(), limited("sign-in", Rate(10, 300, strict=True))]           by client address
dependencies=[public(), limited("reset", Rate(5, 86400, strict=True), by="field:email")]

By person the limit stands behind the access that finds the person:

    person: Annotated[Person, allow("assistant.use")],
    _: Annotated[None, limited("ask", Rate(per_minute=20), by="person")],
"""

from collections.abc import Callable, Iterator
from typing import Any
from unicodedata import normalize

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.limits.addresses import client_address
from app.limits.service import CLAIM, OWED, Claim, Rate, take

FIELD = "field:"


def limited(name: str, rate: Rate, by: str = "address") -> Any:
    """Answer 429 above the rate, counted by `address`, `person` or `field:<name of an input>`."""
    if by not in {"address", "person"} and not by.startswith(FIELD):
        raise ValueError(f"by is address, person or {FIELD}<name>, not {by!r}.")

    async def limit(request: Request) -> None:
        await take(f"{name}:{by}:{await _whom(request, by)}", rate)

    return Depends(limit)


def claimed(name: str, rate: Rate) -> Any:
    """A limit by client address for a route whose first statement takes it; gives the `Claim`.

    What is refused before that statement, such as a form without a field, the middleware counts.
    """

    async def limit(request: Request) -> Claim:
        key = f"{name}:address:{client_address(request.scope)}"
        state = request.scope["state"]
        claim = state[CLAIM] = Claim(key, rate, state.get(OWED))
        if OWED not in state:  # It came by a path that the middleware does not know.
            await claim.take()
        return claim

    _claims.add(limit)
    return Depends(limit)


_claims: set[Callable[..., Any]] = set()


def claiming(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of each route whose first statement takes its limit."""
    return {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute) and any(one.call in _claims for one in _all(route.dependant))
        for method in route.methods or ()
    }


def _all(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from _all(one)


async def _whom(request: Request, by: str) -> str:
    if by == "address":
        return client_address(request.scope)
    if by == "person":
        return str(request.state.person.user_id)
    value = await _field(request, by.removeprefix(FIELD))
    # Otherwise another case or width of the same mail address would be a new budget.
    return normalize("NFKC", value).strip().casefold()


async def _field(request: Request, name: str) -> str:
    """A field of a form or of a JSON object; empty when there is none, which is one budget too."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = await request.json()
        except ValueError:
            return ""
        value = found.get(name, "") if isinstance(found, dict) else ""
    else:
        value = (await request.form()).get(name, "")
    return value if isinstance(value, str) else ""
