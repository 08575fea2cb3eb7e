"""Credentials in Authorization: what holds for all of them, whoever gave them out."""

import pytest

from tests.factories import make_user, sign_in

UNKNOWN = {"Authorization": "Bearer unknown_" + "a" * 43}


@pytest.mark.asvs("8.3.1")
async def test_a_credential_that_nobody_gave_out_opens_nothing(client):
    answer = await client.get("/api/me", headers=UNKNOWN)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/invalid-credential")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_beside_a_credential_the_session_counts_for_nothing(client):
    await sign_in(client, await make_user())
    assert (await client.get("/api/me")).status_code == 200
    for header in (UNKNOWN["Authorization"], "Bearer", "bearer  ", "BEARER x"):
        answer = await client.get("/api/me", headers={"Authorization": header})
        assert answer.status_code == 401, header


async def test_several_credentials_at_once_are_refused(client):
    twice = [("Authorization", "Basic YTpi"), ("Authorization", UNKNOWN["Authorization"])]
    answer = await client.get("/api/me", headers=twice)
    assert answer.json()["type"] == "/problems/invalid-credential"


async def test_another_site_cannot_even_read_with_a_credential(client):
    for from_elsewhere in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
    ):
        for method in ("GET", "PATCH"):
            answer = await client.request(method, "/api/me", headers=UNKNOWN | from_elsewhere)
            assert answer.json()["type"] == "/problems/forged-request", (method, from_elsewhere)


async def test_a_credential_does_not_spare_public_forms_their_token(client):
    """There the cookie still counts: whom a sign-in replaces, for one."""
    await sign_in(client, await make_user())
    del client.headers["X-CSRF-Token"]
    form = {"email": "ada@example.com", "password": "wrong"}
    answer = await client.post("/api/auth/sign-in", json=form, headers=UNKNOWN)
    assert answer.json()["type"] == "/problems/forged-request"


async def test_the_description_says_who_may_call_what(client):
    described = (await client.get("/api/openapi.json")).json()
    assert described["components"]["securitySchemes"]["session"]["name"] == "__Host-session"
    assert described["paths"]["/api/users"]["get"]["security"][0] == {"session": ["users.read"]}
    assert "security" not in described["paths"]["/api/auth/sign-in"]["post"]
