import pytest

from app.mail.html import paragraphs
from tests.mail.conftest import address


async def test_programs_read_the_inbox_of_one_address(client, written):
    to = address()
    await written(to, "First")
    await written(to, "Second", "Look: https://testserver/x")
    await written(address(), "For someone else")

    answer = await client.get("/api/dev/inbox", params={"to": to})

    assert answer.status_code == 200
    assert [one["subject"] for one in answer.json()] == ["Second", "First"]
    assert answer.json()[0]["body"] == "Look: https://testserver/x\n"
    assert answer.json()[0]["to"] == to


async def test_a_filter_is_text_not_a_pattern(client, written):
    to = address()
    await written(to, "First")

    answer = await client.get("/api/dev/inbox", params={"to": to.replace("_", "%")})

    assert answer.json() == []


@pytest.mark.asvs("15.2.3")
@pytest.mark.parametrize("settings", [{"APP_ENV": "production"}, {"MAIL_BACKEND": "smtp"}])
async def test_there_is_no_inbox_in_production_or_beside_a_mail_server(
    client, written, configure, settings
):
    await written(address(), "Secret")
    path = "/api/dev/inbox"
    assert (await client.get(path)).status_code == 200
    configure(**settings)

    answer = await client.get(path)

    assert answer.status_code == 404
    assert "Secret" not in answer.text


async def test_a_name_made_to_lead_to_this_machine_opens_no_inbox(client, written):
    await written(address(), "Secret")
    path = "/api/dev/inbox"
    foreign = await client.get(path, headers={"Host": "rebound.example:8000"})
    assert foreign.status_code == 404
    assert "Secret" not in foreign.text
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert (await client.get(path, headers={"Host": host})).status_code == 200


@pytest.mark.asvs("1.2.2")
@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("Go: https://testserver/a?b=1&c=2.", "?b=1&amp;c=2</a>."),
        ("https://testserver", '<a href="https://testserver" rel='),
        ("See https://testserver.", 'rel="noopener noreferrer">https://testserver</a>.'),
        ("one\ntwo\n\nthree", "<p>one<br>two</p>\n<p>three</p>"),
        ("<script>", "<p>&lt;script&gt;</p>"),
        ("http://evil.example/x", "<p>http://evil.example/x</p>"),
        ("https://testserver.evil.example/x", "<p>https://testserver.evil.example/x</p>"),
        ("https://testserver@evil.example/x", "<p>https://testserver@evil.example/x</p>"),
        ("https://testserver:99/x", "<p>https://testserver:99/x</p>"),
    ],
)
def test_only_our_own_addresses_become_links(body, html):
    assert html in paragraphs(body)
