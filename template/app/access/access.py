"""Every route says who may call it, or the app refuses to start.

person: Annotated[Person, allow("audit.read")]       a permission
dependencies=[public()]                              anyone
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import cache, partial
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Mount

from app.access import credentials, forgery
from app.access.person import Person, identify, identify_alone
from app.access.roles import closed_to_keys
from app.core.db import Database, set_context
from app.core.errors import Forbidden, Unauthorized
from app.core.routing import Directory
from app.modules import parts


class SignInFirst(Unauthorized):
    pass


class SecondFactorPending(Unauthorized):
    pass


class SecondFactorRequired(Forbidden):
    pass


class NotPermitted(Forbidden):
    pass


class ProveItAgain(Forbidden):
    """A sensitive action needs a fresh proof of identity."""


class ImpersonationEnded(Unauthorized):
    """Not the person's own session that waits beside it: nothing may happen as the wrong one."""


class NotWhileImpersonating(Forbidden):
    pass


class UnguardedRoute(RuntimeError):
    """A route that does not say who may call it."""


class Public:
    """Anyone may call this route, or whoever shows what it asks for itself."""

    def __init__(self, shows: str) -> None:
        self.shows = shows

    async def __call__(self, request: Request) -> None:
        await forgery.check(request)
        request.state.csrf_token = forgery.token_for(request)


class Access:
    """People with a permission may call this route; shares the request's transaction."""

    def __init__(
        self, permission: str, *, recent: bool, level: str, policy: bool, impersonated: bool
    ) -> None:
        self.permission = permission
        self.recent = recent
        self.level = level
        self.policy = policy
        self.impersonated = impersonated

    @property
    def opens_to_keys(self) -> bool:
        """Whether a key can reach this at all, whatever its owner may do."""
        return not self.recent and self.permission not in closed_to_keys()

    @property
    def opens_to_impersonators(self) -> bool:
        """What guards an account is closed to them as it is to keys, but for what is marked."""
        return self.impersonated or self.opens_to_keys

    async def __call__(self, request: Request, db: Database) -> Person:
        person = await self.check(request, partial(identify, db))
        if request.state.by_bearer:
            await set_context(db, organization_id=person.organization_id, user_id=person.user_id)
        return person

    async def check(
        self, request: Request, find: Callable[[str], Awaitable[Person | None]]
    ) -> Person:
        credentials.refuse_in_address(request)
        bearer = credentials.given(request)
        request.state.by_bearer = bearer is not None
        await forgery.check(request, bearer=bearer is not None)
        if bearer is not None:
            # The cookies that came along count for nothing, so no page of ours must vouch.
            person = await credentials.identify(bearer)
            request.state.csrf_token = ""
        else:
            token = request.cookies.get(forgery.SESSION_COOKIE)
            found = await find(token) if token else None
            request.state.csrf_token = forgery.token_for(request)
            if found is None and forgery.OWN_SESSION_COOKIE in request.cookies:
                raise ImpersonationEnded("You no longer work as someone else. Go back first.")
            if found is None:
                raise SignInFirst
            person = found
        request.state.person = person
        self._admit(person)
        for part in parts("admission"):
            await part.admitted(request, person, essential=not self.policy)
        return person

    def _admit(self, person: Person) -> None:
        if self.level not in {person.level, "any"}:
            if self.level == "full":
                raise SecondFactorPending("The second factor is still to come.")
            raise NotPermitted("You are signed in already.")
        if person.by_key and not (self.opens_to_keys and self.permission in person.permissions):
            raise NotPermitted("This key does not allow this.")
        if person.impersonation is not None and not self.opens_to_impersonators:
            raise NotWhileImpersonating("Only the person themselves can do this.")
        marked = person.impersonation is not None and self.impersonated
        if self.permission not in person.permissions and not marked:
            raise NotPermitted("Your role does not allow this.")
        if self.policy and person.lacks_second_factor:
            raise SecondFactorRequired(
                "Set up a second factor first; your organisation asks for it."
            )
        if self.recent and not person.proved_recently:
            raise ProveItAgain("Please confirm that it is you.")


class DetachedAccess(Access):
    """The same by a statement of its own, for endpoints that stream or read no more."""

    async def __call__(self, request: Request) -> Person:  # type: ignore[override]
        return await self.check(request, identify_alone)


@cache
def _access(
    kind: type[Access], permission: str, recent: bool, level: str, policy: bool, impersonated: bool
) -> Access:
    return kind(permission, recent=recent, level=level, policy=policy, impersonated=impersonated)


def allow(
    permission: str,
    *,
    recent: bool = False,
    level: str = "full",
    policy: bool = True,
    impersonated: bool = False,
) -> Any:
    """People with `permission`; with `recent` only after a fresh proof of identity.

    `level` is "pending" for the step between password and second factor, "any" for both sides of
    it. `policy=False` lets someone in who still has to set up the second factor that is asked for.
    `impersonated=True` lets an administrator in who works as someone else, where their account
    itself is concerned.
    """
    # Cached: the same object for the same words lets FastAPI ask once per request.
    found = _access(Access, permission, recent, level, policy, impersonated)
    return Depends(found, scope="function")


def allow_detached(
    permission: str,
    *,
    recent: bool = False,
    level: str = "full",
    policy: bool = True,
    impersonated: bool = False,
) -> Any:
    """Like `allow`, holding no transaction while the endpoint works."""
    found = _access(DetachedAccess, permission, recent, level, policy, impersonated)
    return Depends(found, scope="function")


@cache
def _public(shows: str) -> Public:
    return Public(shows)


def public(shows: str = "") -> Any:
    """Anyone may call this route; request forgery is checked all the same.

    `shows` names what a route asks for that is nobody's session or key, for docs/access.md.
    """
    return Depends(_public(shows))


def guards(dependant: Dependant) -> Iterator[Access | Public]:
    """The access markers of a route, however deep they stand."""
    for one in dependant.dependencies:
        if isinstance(one.call, Access | Public):
            yield one.call
        yield from guards(one)


def routes(app: FastAPI) -> Iterator[RouteContext]:
    """Every route of the app, those of included routers too, without mounted static files."""
    for route in iter_route_contexts(app.routes):
        one = route.original_route
        is_files = isinstance(one, Mount) and one.path == "/static"
        if not is_files and not isinstance(one, Directory):
            yield route


def markers(route: RouteContext) -> list[Access | Public]:
    """Who may call a route; empty for a kind of route that cannot say it."""
    dependant = getattr(route, "dependant", None)
    return list(guards(dependant)) if isinstance(dependant, Dependant) else []


def refuse_unguarded(app: FastAPI) -> None:
    """Raise `UnguardedRoute` for routes that do not say who may call them."""
    unguarded = [
        f"{', '.join(sorted(route.methods or ()))} {route.path}"
        for route in routes(app)
        if not markers(route)
    ]
    if unguarded:
        raise UnguardedRoute(
            "Say who may call these routes, with allow(...) or public(): " + "; ".join(unguarded)
        )
