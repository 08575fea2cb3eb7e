"""SCIM's own routes: the bearer token says whose directory asks, a cookie says nothing here."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import public
from app.core.db import Database, transaction
from app.core.errors import NotFound, Problem
from app.limits.addresses import client_address
from app.limits.dependencies import limited
from app.limits.service import Rate, take
from app.scim import attributes, discovery, groups, service, tokens
from app.scim.dependencies import Manager, ProvenManager
from app.scim.errors import BadRequest, MethodNotAllowed, Route, UnknownToken, answer
from app.scim.schemas import TokenMade, TokenOut
from app.scim.shapes import shape


class NotImplementedHere(Problem):
    status = 501


async def directory(request: Request) -> UUID:
    try:
        return await tokens.organization_of(request.headers.get("authorization"))
    except UnknownToken:
        # A directory asks often; whoever has no token for it may not try for long.
        await take(f"scim-refused:{client_address(request.scope)}", REFUSALS)
        raise


Organization = Annotated[UUID, Depends(directory)]


async def bound(organization_id: Organization) -> AsyncIterator[AsyncSession]:
    """A transaction that sees the token's organisation and nothing else."""
    async with transaction(organization_id=organization_id) as db:
        yield db


Bound = Annotated[AsyncSession, Depends(bound, scope="function")]
Names = Annotated[str | None, Query(max_length=2000)]

REQUESTS = limited("scim", Rate(3000, 300, strict=True))
REFUSALS = Rate(30, 300, strict=True)

scim = APIRouter(
    prefix="/scim/v2",
    route_class=Route,
    dependencies=[public("a directory's token"), REQUESTS],
    include_in_schema=False,
)


async def body(request: Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError) as error:
        raise BadRequest("invalidSyntax", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise BadRequest("invalidSyntax", "The body is not a JSON object.")
    return found


Body = Annotated[dict[str, Any], Depends(body)]


def _resources(name: str, schema: str, kind: Any) -> None:
    """The routes of users or of groups."""

    @scim.get(f"/{name}")
    async def search(
        db: Bound,
        wanted: Annotated[str | None, Query(alias="filter", max_length=500)] = None,
        start: Annotated[int, Query(alias="startIndex", ge=-(2**31), le=2**31)] = 1,
        count: Annotated[int, Query(ge=-(2**31), le=2**31)] = 100,
        attributes: Names = None,
        excluded: Annotated[str | None, Query(alias="excludedAttributes", max_length=2000)] = None,
    ) -> Response:
        start, count = max(1, start), min(max(0, count), discovery.MOST)
        page = await kind.search(db, wanted, start, count)
        found = [shape(schema, one, attributes, excluded) for one in page.resources]
        return answer(discovery.listing(found, page.total, start))

    @scim.post(f"/{name}")
    async def create(db: Bound, organization_id: Organization, given: Body) -> Response:
        made = shape(schema, await kind.create(db, organization_id, given))
        return answer(made, 201, {"Location": made["meta"]["location"]})

    @scim.get(f"/{name}/{{identifier}}")
    async def read(
        db: Bound,
        identifier: str,
        attributes: Names = None,
        excluded: Annotated[str | None, Query(alias="excludedAttributes", max_length=2000)] = None,
    ) -> Response:
        return answer(shape(schema, await kind.get(db, _id(identifier)), attributes, excluded))

    @scim.put(f"/{name}/{{identifier}}")
    async def replace(
        db: Bound, organization_id: Organization, identifier: str, given: Body
    ) -> Response:
        done = await kind.replace(db, organization_id, _id(identifier), given)
        return answer(shape(schema, done))

    @scim.patch(f"/{name}/{{identifier}}")
    async def modify(
        db: Bound, organization_id: Organization, identifier: str, given: Body
    ) -> Response:
        done = await kind.modify(db, organization_id, _id(identifier), given)
        return answer(shape(schema, done))

    @scim.delete(f"/{name}/{{identifier}}")
    async def delete(db: Bound, organization_id: Organization, identifier: str) -> Response:
        await kind.delete(db, organization_id, _id(identifier))
        return Response(status_code=204)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("No such resource.") from None


def _described(path: str, documents: Callable[[], list[dict[str, Any]]]) -> None:
    @scim.get(path)
    async def list_all(_: Organization) -> Response:
        found = documents()
        return answer(discovery.listing(found, len(found)))

    @scim.get(path + "/{identifier}")
    async def read(identifier: str, _: Organization) -> Response:
        return answer(discovery.one(documents(), identifier))


_resources("Users", attributes.USER, service)
_resources("Groups", attributes.GROUP, groups)
_described("/ResourceTypes", discovery.resource_types)
_described("/Schemas", discovery.schemas)


@scim.get("/ServiceProviderConfig")
async def read_config(_: Organization) -> Response:
    return answer(discovery.service_provider_config())


@scim.post("/.search")
async def search_everything(_: Organization) -> Response:
    raise NotImplementedHere("Search users and groups one after the other.")


@scim.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def nothing_there(request: Request, rest: str, _: Organization) -> Response:
    if rest in {"Users", "Groups", "ResourceTypes", "Schemas", "ServiceProviderConfig"}:
        raise MethodNotAllowed(f"{request.method} is not for this address.")
    raise NotFound("There is nothing at this address.")


# The tokens, for administrators -------------------------------------------------------------------

management = APIRouter(prefix="/api/scim/tokens", tags=["scim"])


@management.get("")
async def list_tokens(db: Database, person: Manager) -> list[TokenOut]:
    """The tokens of the organisation's directory."""
    return [TokenOut.model_validate(one) for one in await tokens.of_organization(db, person)]


@management.post("", status_code=201)
async def make_token(db: Database, person: ProvenManager) -> TokenMade:
    """Make a token for a directory. It is shown this once."""
    return TokenMade(token=await tokens.make(db, person), url=discovery.address(""))


@management.delete("/{token_id}", status_code=204)
async def end_token(token_id: UUID, db: Database, person: ProvenManager) -> None:
    """End a token at once."""
    await tokens.end(db, person, token_id)


router = APIRouter()
router.routes.extend([*scim.routes, *management.routes])
