from app.guardrails import state
from tests.factories import make_user, sign_in

HTML = {"Accept": "text/html"}


async def test_an_administrator_makes_guards_stricter_and_sees_it(client):
    made = await make_user(role="admin")
    await sign_in(client, made, second_factor=True)
    assert "Nothing is set" in (await client.get("/admin/guards", headers=HTML)).text
    words = "falcon\n\n falke \n"
    fields = {"version": "0", "links": "block", "words": words, "words_action": "block"}
    page = await client.post("/admin/guards", data=fields, headers=HTML, follow_redirects=True)
    assert "Version 1" in page.text
    assert "falcon\nfalke" in page.text.replace("\r", "")
    await state.kept.refresh()
    known = await state.of(made.organization_id)
    assert (known.version, known.actions) == (1, {"links": "block"})
    # Each line is a word of its own, not all of them one phrase.
    assert known.words is not None
    assert [bool(known.words.search(one)) for one in ("a falcon", "Falke?", "other")] == [
        True,
        True,
        False,
    ]
    stale = await client.post("/admin/guards", data=fields, headers=HTML)
    assert (stale.status_code, "meanwhile" in stale.text) == (409, True)
    wrong = await client.post("/admin/guards", data=fields | {"links": "allow"}, headers=HTML)
    assert wrong.status_code == 422
    for words, told in (
        ("--\nfalcon", "A word has letters or digits"),
        ("x" * 81, "Use at most 80 characters."),
        ("\n".join(f"word {n}" for n in range(201)), "Choose at most 200."),
    ):
        wrong = await client.post("/admin/guards", data=fields | {"words": words}, headers=HTML)
        assert (wrong.status_code, told in wrong.text) == (422, True)
        # What was typed is there to be mended.
        assert f">{words}</textarea>" in wrong.text.replace("\r", "")
    await sign_in(client, await make_user(made.organization_id), second_factor=True)
    assert (await client.get("/admin/guards", headers=HTML)).status_code == 403
