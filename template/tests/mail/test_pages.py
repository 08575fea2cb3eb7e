from uuid import uuid4

import pytest

from tests.mail.conftest import address


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
@pytest.mark.parametrize("path", ["/dev/inbox", "/dev/inbox/{id}"])
async def test_there_are_no_pages_in_production_or_beside_a_mail_server(
    client, written, configure, settings, path
):
    path = path.format(id=await written(address(), "Secret"))
    assert (await client.get(path)).status_code == 200
    configure(**settings)

    answer = await client.get(path)

    assert answer.status_code == 404
    assert "Secret" not in answer.text


@pytest.mark.parametrize("path", ["/dev/inbox", "/dev/inbox/{id}"])
async def test_a_name_made_to_lead_to_this_machine_opens_no_page(client, written, path):
    path = path.format(id=await written(address(), "Secret"))

    foreign = await client.get(path, headers={"Host": "rebound.example:8000"})

    assert foreign.status_code == 404
    assert "Secret" not in foreign.text
