from uuid import uuid4

import pytest
from jinja2 import TemplateNotFound, UndefinedError
from sqlalchemy import text

from app.core import retention
from app.core.crypto import Undecipherable, decrypt
from app.core.db import transaction
from app.jobs.queue import run_until_empty
from app.mail import jobs, service, templates
from app.mail.models import MailMessage
from tests.factories import make_organization

HELLO = "Subject: Hello {{ name }}\n\nYour link:\n{{ link }}\n"


def address() -> str:
    return f"ada.{uuid4().hex[:12]}@example.com"


async def test_a_mail_is_rendered_and_read_in_the_inbox(mails):
    mails(hello=HELLO)
    to = address()
    async with transaction() as db:
        await service.send(db, to, "sample/hello", name="Ada", link="https://testserver/x?a=1&b=2")

    await run_until_empty()

    async with transaction(elevated=True) as db:
        (letter,) = await service.inbox(db, to)
    assert (letter.to, letter.subject, letter.status) == (to, "Hello Ada", "sent")
    assert letter.body == "Your link:\nhttps://testserver/x?a=1&b=2\n"


@pytest.mark.asvs("2.3.3")
async def test_a_rollback_takes_mail_and_job_with_it(mails):
    mails(hello=HELLO)
    to = address()
    async with transaction() as db:
        before = await db.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
        message_id = await service.send(db, to, "sample/hello", name="Ada", link="x")
        await db.rollback()
    async with transaction(elevated=True) as db:
        assert await db.get(MailMessage, message_id) is None
    async with transaction() as db:
        assert await db.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == before


async def test_mail_can_be_sent_as_app_auth(mails):
    mails(hello=HELLO)
    to = address()
    async with transaction(elevated=True) as db:
        await service.send(db, to, "sample/hello", name="Ada", link="x")
        assert await db.scalar(text("SELECT current_user")) == "app_auth"
    await run_until_empty()

    async with transaction(elevated=True) as db:
        assert (await service.inbox(db, to))[0].status == "sent"


async def test_the_table_holds_ciphertext_bound_to_its_row(mails):
    mails(hello=HELLO)
    async with transaction() as db:
        one = await service.send(db, address(), "sample/hello", name="Ada", link="s3cret-link")
        other = await service.send(db, address(), "sample/hello", name="Ada", link="another")

    async with transaction(elevated=True) as db:
        row = (
            await db.execute(
                text("SELECT subject, body FROM mail_messages WHERE id = :id"), {"id": one}
            )
        ).one()

    for column in row:
        assert b"s3cret-link" not in bytes(column)
        assert b"Ada" not in bytes(column)
    assert "s3cret-link" in decrypt(bytes(row.body), f"mail_messages.body:{one}")
    for place in (f"mail_messages.body:{other}", f"mail_messages.subject:{one}"):
        with pytest.raises(Undecipherable):
            decrypt(bytes(row.body), place)


async def test_the_job_holds_an_id_and_nothing_else(mails):
    mails(hello=HELLO)
    async with transaction() as db:
        message_id = await service.send(db, address(), "sample/hello", name="Ada", link="x")
        args = await db.scalar(text("SELECT args FROM procrastinate_jobs ORDER BY id DESC LIMIT 1"))

    assert args == {"message_id": str(message_id)}


async def test_only_app_auth_reads_mail():
    with pytest.raises(Exception, match="permission denied"):
        async with transaction() as db:
            await db.execute(text("SELECT recipient FROM mail_messages"))


async def test_a_mail_belongs_to_the_organisation_it_was_written_for(mails):
    mails(hello=HELLO)
    organization = await make_organization()
    async with transaction(organization_id=organization.id) as db:
        mine = await service.send(db, address(), "sample/hello", name="Ada", link="x")
    async with transaction() as db:
        nobodys = await service.send(db, address(), "sample/hello", name="Ada", link="x")

    async with transaction(elevated=True) as db:
        assert (await db.get_one(MailMessage, mine)).organization_id == organization.id
        assert (await db.get_one(MailMessage, nobodys)).organization_id is None


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@localhost",
        "ada",
        "",
        "a" * 250 + "@example.com",
    ],
)
async def test_an_address_that_is_more_or_less_than_one_is_refused(mails, to):
    mails(hello=HELLO)
    async with transaction() as db:
        with pytest.raises(service.UnsendableAddress):
            await service.send(db, to, "sample/hello", name="Ada", link="x")


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@example.com", "Ada\nx", "Ada\x00", "Ada\u2028x"])
async def test_a_subject_cannot_write_headers(mails, name):
    mails(hello=HELLO)
    async with transaction() as db:
        with pytest.raises(templates.UnsafeSubject):
            await service.send(db, address(), "sample/hello", name=name, link="x")


async def test_a_missing_value_stops_the_mail(mails):
    mails(hello=HELLO)
    async with transaction() as db:
        with pytest.raises(UndefinedError):
            await service.send(db, address(), "sample/hello", name="Ada")


@pytest.mark.parametrize("name", ["sample/nothing", "hello", "../sample/hello", "sample/../hello"])
def test_a_mail_that_is_not_there_is_named(mails, name):
    mails(hello=HELLO)
    with pytest.raises(TemplateNotFound, match="There is no app/"):
        templates.render(name, {})


def test_a_mail_without_a_subject_is_refused(mails):
    mails(bare="Hello\n\nthere\n")
    with pytest.raises(ValueError, match="first line"):
        templates.render("sample/bare", {})


async def test_notes_of_old_mail_are_removed_some_at_a_time(mails, monkeypatch):
    await jobs.remove_old()  # of other tests
    mails(hello=HELLO)
    async with transaction() as db:
        sent = [
            await service.send(db, address(), "sample/hello", name="Ada", link="x")
            for _ in range(6)
        ]
    *old, new = sent
    async with transaction(elevated=True) as db:
        await db.execute(
            text(
                "UPDATE mail_messages SET created_at = now() - interval '31 days'"
                " WHERE id = ANY(:ids)"
            ),
            {"ids": old},
        )
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    begun = []

    def ended_in_between(**whose):
        begun.append(whose)
        if len(begun) == 3:
            raise TimeoutError
        return transaction(**whose)

    with monkeypatch.context() as short:
        short.setattr(retention, "transaction", ended_in_between)
        with pytest.raises(TimeoutError):
            await jobs.remove_old()
    assert await there(sent) == 2  # What went so far is gone.

    await jobs.remove_old()
    assert await there(sent) == 1
    assert await there([new]) == 1


async def there(ids) -> int:
    async with transaction(elevated=True) as db:
        count = text("SELECT count(*) FROM mail_messages WHERE id = ANY(:ids)")
        return int(await db.scalar(count, {"ids": ids}) or 0)
