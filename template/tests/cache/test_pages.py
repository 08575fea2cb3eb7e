from secrets import token_hex

from tests.cache.conftest import kept

HTML = {"Accept": "text/html"}


async def test_an_administrator_sees_what_was_saved_and_empties_it_and_a_member_does_not(
    team, model, browser_of
):
    one, other, admin = team
    question = f"What is {token_hex(4)}?"
    conversation = await one.new()
    await one.ask(conversation, question)
    again = await other.new()
    await other.ask(again, question)

    chat = (await other.client.get(f"/chat/{again}", headers=HTML)).text
    assert "<span data-note>The same question was answered a moment ago</span>" in chat

    page = (await admin.client.get("/admin/cache", headers=HTML)).text
    assert "50 % of the questions that may be" in page
    assert 'data-label="Same question">1<' in page
    told = (await admin.client.get("/api/cache")).json()
    assert told["answers"] == 1
    assert (told["total"]["exact"], told["total"]["missed"]) == (1, 1)
    assert told["days"][0]["share"] == 0.5
    assert told["features"][0]["feature"] == "assistant"
    for path in ("/admin/cache", "/api/cache"):
        assert (await one.client.get(path, headers=HTML)).status_code == 403
    assert (await one.client.delete("/api/cache")).status_code == 403
    assert len(await kept(one.someone.organization_id)) == 1

    done = await admin.client.post("/admin/cache/empty", headers=HTML, follow_redirects=True)
    assert "The cache is empty: 1 answer is gone." in done.text
    assert await kept(one.someone.organization_id) == []
    assert (await admin.client.delete("/api/cache")).json() == {"answers": 0}
    assert 'data-label="Same question">1<' in done.text
