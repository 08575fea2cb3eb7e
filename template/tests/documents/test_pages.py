"""What people see of documents."""

from uuid import UUID

import pytest

from app.documents import jobs
from tests.documents.conftest import A_TABLE, TRAVEL
from tests.factories import make_organization, make_user
from tests.pages import Browser, Page


@pytest.fixture
def browser(client) -> Browser:
    return Browser(client)


@pytest.fixture
async def rita(browser):
    """A reviewer, who may share."""
    someone = await make_user(await make_organization(), role="reviewer", password=False)
    await browser.sign_in(someone)
    return browser


async def upload(
    browser: Browser, data: str, name: str, *, read: bool = True, **fields: str
) -> Page:
    page = await browser.open("/documents")
    # The search has the same address; the form that uploads is posted.
    form = next(one for one in page.forms if one.method == "post" and one.action == "/documents")
    sent = await browser.client.post(
        "/documents",
        data=form.fields | fields,
        files={"file": (name, data.encode())},
        headers={"Origin": "https://testserver"},
        follow_redirects=True,
    )
    path = sent.url.path
    if read and path != "/documents":
        await jobs.index(UUID(path.rpartition("/")[2]))
    return await browser.open(path) if path != "/documents" else Page(browser, sent)


async def test_a_document_is_uploaded_read_and_looked_at_without_script(rita):
    assert "No documents yet" in (await rita.open("/documents")).text
    page = await upload(rita, TRAVEL, "rules.txt")

    assert page.heading == "rules.txt"
    assert "Ready" in page.text
    assert "thirty days" in page.text
    assert "Only you" in page.text
    listed = await rita.open("/documents")
    assert page.path in listed.links
    assert "rules.txt" in (await rita.open("/documents?search=RULES")).text
    assert "No such document" in (await rita.open("/documents?search=other")).text


async def test_a_document_that_waits_says_so(rita):
    page = await upload(rita, TRAVEL, "rules.txt", read=False)
    assert "Being read" in page.text
    assert 'hx-trigger="every 2s"' in page.html


async def test_a_refusal_is_told_where_the_file_was_chosen(rita):
    said = await upload(rita, "<html><body>Hello</body></html>", "a.txt")
    assert "What is in the file is not what its name says." in said.text


async def test_a_refusal_after_reading_is_told_on_its_page(rita):
    page = await upload(rita, "<html><body><p onclick=x>Hello there</p></body></html>", "a.html")
    assert "This document was refused" in page.text
    assert "scripts or actions" in page.text
    assert not any("/file" in link for link in page.links)


async def test_a_table_shows_its_columns(rita):
    page = await upload(rita, A_TABLE, "hotels.csv")
    assert "number 3 of 3" in page.text


async def test_sharing_and_deleting(rita, new_browser):
    page = await upload(rita, TRAVEL, "rules.txt")
    shared = await page.send(f"{page.path}/share", audience="organization")
    assert "Everyone in the organisation" in shared.text
    refused = await shared.send(f"{page.path}/share", audience="roles")
    assert "Choose at least one role" in refused.text

    gone = await refused.send(f"{page.path}/delete")
    assert "The document is deleted" in gone.text
    assert (await rita.open(page.path)).status == 404


async def test_members_see_no_way_to_share(browser):
    await browser.sign_in(await make_user(password=False))
    page = await upload(browser, TRAVEL, "rules.txt")
    assert not page.has_form(f"{page.path}/share")
    assert page.has_form(f"{page.path}/delete")


async def test_what_a_document_says_is_text_and_never_markup(rita):
    page = await upload(rita, f"{TRAVEL} <script>alert(1)</script> <b>bold</b>", "a<b>.txt")
    assert "<script>alert" not in page.html
    assert "<b>bold" not in page.html


async def test_figures_and_a_new_index(browser, configure):
    await browser.sign_in(await make_user(role="admin", password=False))
    assert "No documents yet" in (await browser.open("/admin/documents")).text
    await upload(browser, A_TABLE, "hotels.csv")
    page = await browser.open("/admin/documents")
    assert "Completeness 100%" in page.text
    assert "It is what the settings ask for" in page.text
    configure(DOCUMENTS_PASSAGE_CHARACTERS=300)
    page = await browser.open("/admin/documents")
    assert "The settings ask for another index" in page.text
    page = await page.send("/admin/documents/index")
    assert "being built anew" in page.text
