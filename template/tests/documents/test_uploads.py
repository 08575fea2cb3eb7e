"""From the upload to what is found, over HTTP."""

import asyncio

import pytest

from app.documents import names
from tests.documents.conftest import OF_EACH_KIND, TRAVEL, a_docx, a_pdf, kept


@pytest.mark.parametrize("name", OF_EACH_KIND)
async def test_every_kind_is_read_found_and_given_back(browser, name):
    document = await browser.upload(OF_EACH_KIND[name], name)

    told = await browser.get(document)
    assert told["state"] == "ready", told
    assert told["notes"]["passages"] >= 1
    wanted = "Which hotel is in Porto?" if name == "hotels.csv" else "When are travel costs paid?"
    best = (await browser.search(wanted))[0]
    assert best["name"] == name
    assert ("Ribeira" if name == "hotels.csv" else "thirty days") in best["text"]
    given = await browser.client.get(f"/api/documents/{document}/file")
    assert given.content == OF_EACH_KIND[name]


@pytest.mark.asvs("5.4.1", "3.2.1")
async def test_a_file_is_only_ever_given_out_as_an_attachment(browser):
    document = await browser.upload(OF_EACH_KIND["travel.html"], 'a"b; y;é.html')
    given = await browser.client.get(f"/api/documents/{document}/file")

    assert given.headers["content-disposition"].startswith("attachment; filename=")
    assert given.headers["content-disposition"].count('"') == 2
    assert given.headers["content-type"] == "application/octet-stream"
    assert given.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in given.headers["content-security-policy"]


@pytest.mark.asvs("5.3.1")
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\ada\\plan.txt", "plan.txt"),
        (".htaccess.txt", "htaccess.txt"),
        ("invoice\u202etxt.exe.txt", "invoicetxt.exe.txt"),
        ("a\x00b\x07\r\nc.txt", "ab c.txt"),
        ("  two   words .txt", "two words .txt"),
        ("x" * 300 + ".txt", "x" * 146 + ".txt"),
        ("Größe 知識.txt", "Größe 知識.txt"),
    ],
)
async def test_a_name_is_cleaned_and_becomes_no_path(browser, files, given, shown):
    assert names.clean(given) == shown
    sent = await browser.send(TRAVEL, given.translate(dict.fromkeys(range(32))))
    assert sent.status_code == 201, sent.text
    [file] = kept(files)
    assert file.parent.name == browser.someone.organization_id.hex
    assert len(file.name) == 32


@pytest.mark.asvs("14.2.4")
async def test_neither_text_nor_name_stands_where_files_are_kept(browser, files):
    await browser.upload(TRAVEL, "secret-plan.txt")
    [file] = kept(files)
    assert b"Travel" not in file.read_bytes()
    assert "secret" not in str(file)


@pytest.mark.asvs("5.2.1")
async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(browser, files, configure):
    configure(DOCUMENTS_LARGEST_BYTES=50_000)
    sent = await browser.send("word " * 20_000)

    assert sent.status_code == 413
    assert sent.json()["type"] == "/problems/file-too-large"
    assert await browser.names() == []
    assert kept(files) == []


async def test_a_body_may_only_be_large_where_files_go_and_the_sender_can_be_told(
    browser, new_browser
):
    large = "word " * 300_000
    assert (await browser.send(large)).status_code == 201
    elsewhere = await browser.client.post("/api/conversations", content=large)
    assert elsewhere.status_code == 413
    async with new_browser() as stranger:
        sent = await stranger.post("/api/documents", files={"file": ("a.txt", large)})
    assert sent.status_code == 413


async def test_who_is_not_signed_in_uploads_nothing(new_browser, files):
    async with new_browser() as stranger:
        sent = await stranger.post(
            "/api/documents", files={"file": ("a.txt", TRAVEL)}, headers={"X-CSRF-Token": "x"}
        )
    assert sent.status_code == 401
    assert kept(files) == []


async def test_the_organisation_s_room_is_limited(browser, configure):
    configure(DOCUMENTS_BYTES_PER_ORGANIZATION=1024)
    assert (await browser.send("word " * 400)).status_code == 201
    sent = await browser.send(TRAVEL)
    assert sent.status_code == 413
    assert sent.json()["type"] == "/problems/files-too-large"


async def test_what_comes_at_once_has_no_more_room(browser, configure):
    configure(DOCUMENTS_BYTES_PER_ORGANIZATION=1024)
    sent = await asyncio.gather(
        *(browser.send(f"{word} " * 400, f"{word}.txt") for word in ("one", "two", "three", "four"))
    )

    assert sorted(one.status_code for one in sent) == [201, 413, 413, 413]
    assert len(await browser.names()) == 1


FORM = "multipart/form-data; boundary=x"
DISPOSITION = b"--x\r\nContent-Disposition: form-data; "


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (b"{}", "application/json"),
        (b"--x\r\n", FORM),
        (DISPOSITION + b'name="file"; filename="a.txt"\r\n\r\nabc', FORM),
        (b"garbage" * 100, FORM),
        (DISPOSITION + b'name="other"; filename="a.txt"\r\n\r\nabc\r\n--x--', FORM),
        (DISPOSITION + b'name="audience"\r\n\r\nperson\r\n--x--', FORM),
        (b"--x\r\nA: " + b"b" * 9000 + b"\r\n\r\nabc\r\n--x--", FORM),
        (DISPOSITION + b'name="audience"\r\n\r\n' + b"p" * 9000 + b"\r\n--x--", FORM),
        (b"x", "multipart/form-data"),
    ],
)
async def test_what_is_no_upload_is_a_sentence(browser, files, body, kind):
    sent = await browser.client.post("/api/documents", content=body, headers={"Content-Type": kind})
    assert sent.status_code == 422, sent.text
    assert kept(files) == []


async def test_fields_that_do_not_fit_are_named(browser):
    sent = await browser.send(TRAVEL, audience="everyone", replaces="no id")
    assert sent.status_code == 422
    assert set(sent.json()["errors"]) == {"audience", "replaces"}


async def test_the_same_content_twice_is_refused(browser):
    await browser.upload(TRAVEL)
    again = await browser.send(TRAVEL, "other name.txt")

    assert again.status_code == 422
    assert again.json()["reason"] == "duplicate"
    assert len(await browser.names()) == 1

    both = await asyncio.gather(*(browser.send(f"{TRAVEL} At once.", "b.txt") for _ in range(2)))
    assert sorted(one.status_code for one in both) == [201, 422]


async def test_that_others_have_the_same_content_is_not_told(people):
    await people["ada"].upload(TRAVEL)
    assert (await people["bob"].send(TRAVEL)).status_code == 201
    assert (await people["eve"].send(TRAVEL)).status_code == 201


async def test_pages_and_headings_come_along(browser):
    await browser.upload(a_pdf("Nothing here but the index.", TRAVEL), "two.pdf")
    await browser.upload(
        a_docx("Lunch is served at noon in the canteen.", heading="Food"), "b.docx"
    )

    [travel, *_] = await browser.search("travel receipts")
    assert travel["name"] == "two.pdf"
    assert travel["page"] in {1, 2}
    [food, *_] = await browser.search("when is lunch served")
    assert (food["name"], food["heading"]) == ("b.docx", "Food")


async def test_what_was_read_can_be_looked_at_piece_by_piece(browser, configure):
    configure(DOCUMENTS_PASSAGE_CHARACTERS=200)
    text = "\n\n".join(f"Paragraph {n} speaks about matter number {n}. " * 4 for n in range(12))
    document = await browser.upload(text)

    seen, after = [], -1
    while after is not None:
        page = (
            await browser.client.get(
                f"/api/documents/{document}/passages", params={"after": after, "limit": 5}
            )
        ).json()
        seen += [one["text"] for one in page["passages"]]
        after = page["next"]
    assert len(seen) == (await browser.get(document))["notes"]["passages"] >= 12
    assert all(len(one) <= 200 for one in seen)
    assert "number 11" in seen[-1]
