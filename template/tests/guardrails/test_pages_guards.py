from app.guardrails import state
from tests.factories import make_user, sign_in

HTML = {"Accept": "text/html"}


async def test_an_administrator_makes_guards_stricter_and_sees_it(client):
    made = await make_user(role="admin")
    await sign_in(client, made, second_factor=True)
    assert "Nothing is set" in (await client.get("/admin/guards", headers=HTML)).text
    fields = {"version": "0", "links": "block", "words": "falcon\nfalke\n", "words_action": "block"}
    page = await client.post("/admin/guards", data=fields, headers=HTML, follow_redirects=True)
    assert "Version 1" in page.text
    assert "falcon\nfalke" in page.text.replace("\r", "")
    await state.refresh()
    known = await state.of(made.organization_id)
    assert (known.version, known.actions) == (1, {"links": "block"})
    stale = await client.post("/admin/guards", data=fields, headers=HTML)
    assert (stale.status_code, "meanwhile" in stale.text) == (409, True)
    wrong = await client.post("/admin/guards", data=fields | {"links": "allow"}, headers=HTML)
    assert wrong.status_code == 422
    await sign_in(client, await make_user(made.organization_id), second_factor=True)
    assert (await client.get("/admin/guards", headers=HTML)).status_code == 403
