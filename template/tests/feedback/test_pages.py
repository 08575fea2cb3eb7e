import re

from tests.factories import make_user, sign_in
from tests.feedback.conftest import call_of

HTML = {"Accept": "text/html"}


async def test_reviewers_read_what_was_said_and_nobody_elses_markup_runs(client, said):
    page = (await client.get("/feedback", headers=HTML)).text
    assert page.count("Grace Hopper") == 3
    assert "&lt;b&gt;Thirty days." in page
    assert "<b>" not in page
    page = (await client.get("/feedback?rating=up", headers=HTML)).text
    assert page.count("Grace Hopper") == 1
    await sign_in(client, await make_user(said[1].organization_id))
    assert (await client.get("/feedback", headers=HTML)).status_code == 403


async def test_of_a_long_text_the_beginning_stands_there_and_the_rest_opens(client, said):
    member = said[1]
    await sign_in(client, member)
    long = "It was not so & never. " * 80
    given = {"rating": "down", "comment": long, "correction": "Thirty days."}
    assert (await client.put(f"/api/feedback/{await call_of(member)}", json=given)).is_success
    await sign_in(client, await make_user(member.organization_id, role="reviewer"))
    page = (await client.get("/feedback", headers=HTML)).text
    [beginning] = re.findall(
        r'<details class="folded">\s*<summary>(.*?)</summary>', page, re.DOTALL
    )
    assert 200 < len(beginning) < 500
    assert page.count("It was not so &amp; never.") > 80
