"""The same way for programs and for pages that are not ours: through the API alone."""

from tests.conftest import new_client
from tests.sso.issuer import Issuer, someone


async def leave(client, path="/api/sso/providers/acme/sign-in") -> str:
    answer = await client.post(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["authorization_url"]


async def come_back(client, query: str):
    return await client.get(f"/sso/acme/callback?{query}", headers={"Accept": "application/json"})


async def test_someone_signs_in_by_way_of_a_provider(client, issuer: Issuer):
    assert [one["name"] for one in (await client.get("/api/sso/providers")).json()] == ["acme"]
    issuer.person = someone()

    answer = await come_back(client, issuer.approve(await leave(client)))

    assert answer.status_code == 303
    assert (await client.get("/api/me")).json()["email"] == issuer.person["email"]


async def test_another_browser_than_the_one_that_left_gets_no_session(app, client, issuer: Issuer):
    issuer.person = someone()
    query = issuer.approve(await leave(client))
    async with new_client(app) as other:
        answer = await come_back(other, query)
        assert answer.status_code >= 400
        assert answer.json()["type"].startswith("/problems/")
        assert (await other.get("/api/me")).status_code == 401
