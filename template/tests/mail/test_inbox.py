from uuid import uuid4

import pytest

from app.core.db import transaction
from app.mail import service
from app.mail.html import paragraphs

HELLO = "Subject: {{ subject }}\n\n{{ body }}\n"


@pytest.fixture
def written(mails):
    mails(hello=HELLO)

    async def write(to: str, subject: str, body: str = "Hello"):
        async with transaction() as db:
            return await service.send(db, to, "sample/hello", subject=subject, body=body)

    return write


def address() -> str:
    return f"ada_{uuid4().hex[:12]}@example.com"


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


async def test_people_read_the_inbox_as_pages(client, written):
    to = address()
    link = "https://testserver/reset-password/abc-1_2"
    older = await written(to, "Older")
    newer = await written(to, "A <b>new</b> one", f"Here:\n\n{link}")

    page = await client.get("/dev/inbox", params={"to": to})
    assert page.status_code == 200
    assert page.text.index(f"/dev/inbox/{newer}") < page.text.index(f"/dev/inbox/{older}")
    assert "A &lt;b&gt;new&lt;/b&gt; one" in page.text

    letter = await client.get(f"/dev/inbox/{newer}")
    assert letter.status_code == 200
    assert f'<a href="{link}"' in letter.text


async def test_an_empty_inbox_says_so(client):
    page = await client.get("/dev/inbox", params={"to": address()})
    assert "No mail" in page.text


async def test_an_unknown_message_is_not_found(client):
    answer = await client.get(f"/dev/inbox/{uuid4()}")
    assert answer.status_code == 404


@pytest.mark.parametrize("settings", [{"APP_ENV": "production"}, {"MAIL_BACKEND": "smtp"}])
@pytest.mark.parametrize("path", ["/dev/inbox", "/dev/inbox/{id}", "/api/dev/inbox"])
async def test_there_is_no_inbox_in_production_or_beside_a_mail_server(
    client, written, configure, settings, path
):
    path = path.format(id=await written(address(), "Secret"))
    assert (await client.get(path)).status_code == 200
    configure(**settings)

    answer = await client.get(path)

    assert answer.status_code == 404
    assert "Secret" not in answer.text


@pytest.mark.parametrize("path", ["/dev/inbox", "/dev/inbox/{id}", "/api/dev/inbox"])
async def test_a_name_made_to_lead_to_this_machine_opens_no_inbox(client, written, path):
    path = path.format(id=await written(address(), "Secret"))
    foreign = await client.get(path, headers={"Host": "rebound.example:8000"})
    assert foreign.status_code == 404
    assert "Secret" not in foreign.text
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert (await client.get(path, headers={"Host": host})).status_code == 200


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
