import httpx2

from tests.factories import make_organization, make_user, sign_in


async def test_a_note_is_read_by_its_organisation_and_by_no_other(
    client: httpx2.AsyncClient, new_browser
):
    ours, theirs = await make_organization(), await make_organization()
    await sign_in(client, await make_user(ours))

    kept = await client.post("/api/notes", json={"text": "Buy milk"})

    assert kept.status_code == 201
    assert "Buy milk" in (await client.get("/api/notes")).json()
    async with new_browser() as other:
        await sign_in(other, await make_user(theirs))
        assert (await other.get("/api/notes")).json() == []
