"""Two organisations full of marked rows: nothing of one appears to the other, by any route.

The route table is walked and the tables are taken from the database's catalogue, so a route or a
table that is added later is held to it, too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import randbelow

import psycopg
import pytest

from app.access.access import Access, markers, routes
from app.access.roles import closed_to_keys, known
from app.core.ids import uuid7
from tests.factories import make_membership, make_organization, make_user, sign_in
from tests.organizations.marked import Place, fill, state

# One's own organisations: both are named there, and that is all that these routes say.
OWN = {"/organizations", "/api/organizations"}
# What nobody finds, may do or can do; not one says that there is such a thing elsewhere.
REFUSED = {303, 401, 403, 404, 410, 422}
# What an id of the other place is to be answered like.
NOBODYS = uuid7()
CURSORS = {"after", "before", "search", "action", "person"}
# What any body or form of ours asks for; each takes its own.
BODY = {
    "name": "Another name", "description": "", "permissions": [], "role": "member",
    "title": "Another title", "text": "What is it?", "rating": "up", "comment": "",
    "audience": "organization",
    "reason": "To see what happens here", "minutes": 5, "grace_hours": 0, "tokens_per_hour": 5,
    "question": "What is it?", "verdict": "approved",
    "person": "", "code": "123456", "display_name": "Another", "password": "x",
    "new_owner": "00000000-0000-0000-0000-000000000000", "fingerprint": "0" * 64,
}  # fmt: skip


@dataclass
class Two:
    """Two full organisations; Ada administers both and works in `here`."""

    here: Place
    there: Place
    ada: object
    cursors: set[str] = field(default_factory=set)
    """What lists over there gave for their next page."""


@pytest.fixture
async def two(client, database, configure) -> Two:
    configure(ABUSE_READS_PER_PERSON=1_000_000)  # the walk reads more than people do
    places = []
    for word, number in (("here", 1_234_567), ("there", 1_734_592_118)):
        organization = await make_organization(name=f"{word}7f3a place")
        member = await make_user(organization, display_name=f"{word}7f3a member", password=False)
        places.append((organization, Place(f"{word}7f3a", number, organization.id, member.user_id)))
        await fill(database.admin, places[-1][1])
    (here, ours), (there, theirs) = places
    ada = await make_user(there, role="admin")
    await make_membership(ada, here, role="admin")
    # What is hers over there and stays there. What belongs to her account goes with her.
    own = {"conversations", "messages", "feedback", "usage_records", "usage_counters"}
    for _ in range(2):
        hers = Place(theirs.mark, theirs.number, there.id, ada.user_id)
        await fill(database.admin, hers, only=frozenset(own | {"usage_limits", "api_keys"}))
        theirs.ids |= hers.ids - {ada.user_id}
    found = Two(ours, theirs, ada)
    await sign_in(client, ada)
    for path, route in _paths(client):
        if _takes(route, "limit"):
            answer = await client.get(path, params={"limit": 1})
            if following := answer.json().get("next"):
                found.cursors.add(str(following))
    answer = await client.post(f"/api/organizations/{here.id}/switch")
    assert answer.status_code == 200
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return found


def _paths(client) -> Iterator[tuple[str, object]]:
    for route in routes(_app(client)):
        if "GET" in (route.methods or ()) and "{" not in route.path and "/api" in route.path:
            yield route.path, route


def _app(client):
    return client._transport.app.app


def _takes(route, *names: str) -> bool:
    """Whether a route has one of these in its query, however deep it is asked for."""
    waiting = [route.dependant] if getattr(route, "dependant", None) else []
    while waiting:
        one = waiting.pop()
        if {parameter.alias for parameter in one.query_params} & set(names):
            return True
        waiting += one.dependencies
    return False


def addresses(client, two, ids) -> Iterator[tuple[str, object]]:
    """Every address that can be read, with each of these ids where an id belongs, and nobody's."""
    for route in routes(_app(client)):
        if "GET" not in (route.methods or ()) or route.path in OWN | {"/api/openapi.json"}:
            continue
        if "/dev/" in route.path:
            continue  # the laptop's stand-in for everybody's mailbox, which production has not
        if "{" in route.path:
            for one in [NOBODYS, *sorted(ids)] if ids else []:
                yield re.sub(r"{[^}]+}", str(one), route.path), one
            continue
        yield route.path, None
        if not _takes(route, *CURSORS):
            continue
        wanted = [*sorted(ids), *sorted(two.cursors)]
        for one in wanted:
            yield f"{route.path}?after={one}&person={one}&limit=200", one
        for one in sorted(two.cursors):
            yield f"{route.path}?before={one}", one
        for word in (two.there.mark, "marked"):
            yield f"{route.path}?search={word}&action={word}", word
        yield f"{route.path}?before=9223372036854775807&format=jsonl", None


def _elsewhere(client) -> None:
    """Each request from an address of its own, or the limits would answer in place of the walls."""
    client._transport.client = (".".join(str(randbelow(254) + 1) for _ in range(4)), 1)


async def read_everything(
    client, two, ids=None, under="/", *, fine=(), **headers
) -> tuple[list[object], int]:
    """What of the other place shows, and how many addresses answered at all."""
    shown, answered, nothing = [], 0, {}
    for address, asked in addresses(client, two, two.there.ids if ids is None else ids):
        if not address.startswith(under):
            continue
        _elsewhere(client)
        answer = await client.get(address, headers=headers)
        # What fails shows nothing, as what is refused for being too much does.
        assert answer.status_code not in {429, 500} - {*fine}, f"{address} {answer.text}"
        answered += answer.is_success
        told = answer.text
        if asked == two.there.mark:
            # What was looked for may be written into the answer again; data may not.
            for again in (f'value="{asked}"', f"search={asked}", f"action={asked}", f"“{asked}”"):
                told = told.replace(again, "")
            asked = None
        named = address.replace(str(asked), "{}")
        if asked == NOBODYS:
            nothing[named] = answer.status_code
        if found := two.there.shown_in(told, asked):
            shown.append((answer.status_code, address, found))
        # The page of a link asks first, and looks at its token only when the form is sent.
        elif asked and "{" not in address and answer.status_code not in REFUSED | {200}:
            shown.append((answer.status_code, address, "an answer of its own"))
        elif nothing.get(named, answer.status_code) != answer.status_code:
            shown.append((answer.status_code, address, "not the answer for nobody's id"))
    return shown, answered


async def test_every_owned_table_holds_marked_rows_of_both(two, database):
    """From the catalogue of the database: no table can be forgotten."""
    for place in (two.here, two.there):
        found = state(database.admin, place.organization_id)
        assert len(found) > 25
        assert [table for table, rows in found.items() if not rows] == []
        marked = [table for table, rows in found.items() if place.mark in "".join(rows)]
        assert len(marked) > 10


@pytest.mark.dear
@pytest.mark.asvs("8.4.1")
async def test_after_switching_no_route_shows_anything_of_the_other_one(client, two):
    shown, answered = await read_everything(client, two)
    assert shown == []
    assert answered > 80
    assert (await client.get("/api/me")).json()["organization_id"] == str(two.here.organization_id)


@pytest.mark.asvs("8.4.1")
@pytest.mark.parametrize(
    "role",
    [*(pytest.param(role, marks=pytest.mark.dear) for role in ("admin", "reviewer")), "member"],
)
async def test_no_role_sees_anything_of_the_other_one(client, two, role):
    await sign_in(client, await make_user(two.here.organization_id, role=role, password=False))
    some = ("users", "roles", "conversations", "messages", "usage_records", "feedback", "api_keys")
    shown, answered = await read_everything(client, two, {two.there.last[name] for name in some})
    assert shown == []
    assert answered > 10


@pytest.mark.dear
@pytest.mark.asvs("8.4.1")
async def test_no_key_shows_anything_of_the_other_one(client, two):
    scopes = sorted(known() - closed_to_keys())
    made = await client.post("/api/keys", json={"name": "All", "scopes": scopes})
    client.cookies.clear()
    shown, answered = await read_everything(
        client, two, [], Authorization=f"Bearer {made.json()['secret']}"
    )
    assert shown == []
    assert answered > 20


def changes(app) -> Iterator[tuple[str, object]]:
    """Every way to change something that names it by an id."""
    for route in routes(app):
        asks = [one for one in markers(route) if isinstance(one, Access)]
        named = re.search(r"{(?!name|token)", route.path)  # a provider is no row of anybody's
        if named and asks and not any(one.level == "pending" for one in asks):
            for method in (route.methods or set()) - {"GET", "HEAD"}:
                yield method, route


@pytest.mark.dear
@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_nothing_of_the_other_one_can_be_changed_by_its_id(client, app, two, database):
    """Not by an administrator here, with bodies that fit; streams are among the answers."""
    before = state(database.admin, two.there.organization_id)

    async def sign_in_again():
        someone = await make_user(two.here.organization_id, role="admin", password=False)
        await sign_in(client, someone)

    wrong, tried, hollow = await change_everything(client, two, sign_in_again)
    assert wrong == []
    assert hollow == set(), "these asked for a body that fits before they looked at the id"
    assert tried > 60
    assert state(database.admin, two.there.organization_id) == before


async def change_everything(client, two, anew=None, ids=None, **headers):
    """What was not refused, how much was tried, and what wanted another body first."""
    wrong, tried, hollow = [], 0, set()
    for method, route in changes(_app(client)):
        body = {"json": BODY} if route.path.startswith("/api") else {"data": BODY}
        for number, one in enumerate(sorted(ids or set(two.there.last.values()))):
            if anew and number % 15 == 0:  # limits count by person, too
                await anew()
            _elsewhere(client)
            path = re.sub(r"{[^}]+}", str(one), route.path)
            answer = await client.request(method, path, headers=headers, **body)
            tried += 1
            if answer.status_code == 422:
                hollow.add(f"{method} {route.path}")
            if answer.status_code not in REFUSED or two.there.shown_in(answer.text, one):
                wrong.append((method, path, answer.status_code))
    return wrong, tried, hollow


@pytest.mark.dear
@pytest.mark.asvs("14.3.2")
async def test_what_was_kept_over_there_is_not_told_to_be_the_same_here(client, two):
    """Answers about an organisation are kept by nobody, and none is confirmed as unchanged."""
    kept = []
    for address, _ in addresses(client, two, []):
        _elsewhere(client)
        everything = {"If-None-Match": "*", "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
        answer = await client.get(address, headers=everything)
        stored = answer.headers.get("cache-control", "")
        if answer.status_code == 304 or not ({"no-store", "private"} & set(stored.split(", "))):
            kept.append((answer.status_code, address, stored))
    assert kept == []


OPENED = {
    "invitations": "/api/invitations",
    "api_keys": "/api/organization/keys",
    "roles": "/api/roles",
    "conversations": "/api/conversations",
    "usage_records": "/api/usage/organization",
}


@pytest.mark.dear
async def test_the_walk_sees_each_table_whose_row_security_is_off(client, two, database):
    """Planted in the database itself, so that the walk is known to fail when it should."""
    with psycopg.connect(database.admin, autocommit=True) as admin:
        for table in OPENED:
            admin.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        try:
            # What other tests have left shows, too, and some of it no page expects.
            shown, _ = await read_everything(client, two, [], "/api/", fine={500})
        finally:
            for table in OPENED:
                admin.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    assert {*OPENED.values()} - {address for _, address, _ in shown} == set()
