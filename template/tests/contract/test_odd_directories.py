"""What only an attacker with a directory's token sends: no answer of SCIM is a failure, and each
is one that RFC 7644 has. Its routes stand in no description, so they are walked here.
"""

import asyncio
import json
import re
from urllib.parse import quote

import pytest

from tests.contract.sign_in import credential, headers
from tests.contract.test_odd_requests import BODIES, VALUES, _ask

KNOWN = {200, 201, 204, 400, 401, 403, 404, 405, 409, 413}
SCIM = "application/scim+json"
NOBODY = "00000000-0000-7000-8000-000000000000"
FIELDS = ("schemas", "userName", "emails", "name", "active", "externalId", "displayName",
          "members", "id", "meta", "Operations")  # fmt: skip
INSIDE = (
    '{{"schemas": [], "userName": "a", "emails": [{{"value": {}, "primary": {}}}]}}',
    '{{"displayName": "a", "members": [{{"value": {}}}]}}',
    '{{"Operations": [{{"op": "replace", "path": "displayName", "value": {}}}]}}',
    '{{"Operations": [{{"op": "add", "path": {}, "value": {}}}]}}',
    '{{"Operations": [{{"op": {}, "value": {{"emails": {}}}}}]}}',
)
FILTERS = [
    "\0", "userName eq", 'userName eq "\0"', 'userName eq "\\ud800"', 'userName eq "%"',
    'id eq "x"', "id eq 1e400", "(" * 400, "not " * 100, 'emails[type eq "work"', "a" * 501,
    'userName eq "' + "x" * 480 + '"', 'userName eq "a" or 1 eq 1', "userName pr", "'; --",
    'externalId eq "' + "\\u0000" + '"', 'meta.created gt "2020"', "\u202euserName eq null",
]  # fmt: skip
QUERIES = [
    "startIndex=" + "9" * 400, "startIndex=-1&count=-1", "count=1e9", "count=NaN", "startIndex=%00",
    "attributes=" + "a," * 999, "attributes=%00,%ff&excludedAttributes=..", "filter=%ff%fe",
    "filter=a&filter=b", "count=0&count=1", "attributes=emails[", "startIndex=2147483648",
]  # fmt: skip


def bodies():
    yield from BODIES.values()
    for value in VALUES.values():
        yield SCIM, f"{{{', '.join(f'{json.dumps(one)}: {value}' for one in FIELDS)}}}"
        for shape in INSIDE:
            yield SCIM, shape.format(value, value)


@pytest.mark.slow
@pytest.mark.asvs("2.2.1", "1.4.2")
def test_nothing_that_a_directory_sends_makes_it_fail(address):
    endpoints = pytest.importorskip("app.scim.endpoints")
    given = headers("directory", asyncio.run(credential("directory")))
    routes = sorted({(one.path, tuple(sorted(one.methods))) for one in endpoints.scim.routes})
    found, asked = [], 0

    def ask(method, path, body=None, kind=SCIM):
        nonlocal asked
        raw = body.encode() if isinstance(body, str) else body
        status, text = _ask(address, method, path, raw, given | {"Content-Type": kind})
        asked += 1
        good = status in KNOWN or (status == 501 and "search" in path)
        # What is too large is refused before anyone knows whose route it is for.
        told = (
            status < 400
            or status == 413
            or "urn:ietf:params:scim:api:messages:2.0:Error" in text.decode()
        )
        if not good or not told:
            found.append((method, path, str(body)[:80], status, text[:200]))

    for template, methods in routes:
        path = re.sub(r"{[^}]+}", NOBODY, template)
        for method in methods:
            if method == "GET":
                for query in [*QUERIES, *(f"filter={quote(one)}" for one in FILTERS)]:
                    ask("GET", f"{path}?{query}")
                continue
            for kind, body in [(None, None)] if method == "DELETE" else bodies():
                ask(method, path, body, kind or SCIM)
    for odd in ("%00", "%ff%fe", "%ed%a0%80", "..%2f..", "x" * 5000, "1e400", "%F0%9F%92%A9"):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            ask(method, f"/scim/v2/Users/{odd}", "{}" if method[0] == "P" else None)
            ask(method, f"/scim/v2/{odd}", "{}" if method[0] == "P" else None)
    assert found == []
    assert asked > 500
