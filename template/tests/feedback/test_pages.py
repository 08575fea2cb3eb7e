from tests.factories import make_user, sign_in

HTML = {"Accept": "text/html"}


async def test_reviewers_read_what_was_said_and_nobody_elses_markup_runs(client, said):
    page = (await client.get("/feedback", headers=HTML)).text
    assert page.count("Grace Hopper") == 3
    assert "Should have been: &lt;b&gt;Thirty days." in page
    page = (await client.get("/feedback?rating=up", headers=HTML)).text
    assert page.count("Grace Hopper") == 1
    await sign_in(client, await make_user(said[1].organization_id))
    assert (await client.get("/feedback", headers=HTML)).status_code == 403
