import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.core.clock import now
from app.core.db import transaction
from app.jobs import service as jobs
from app.jobs.queue import enqueue, run_until_empty
from app.mail import service, smtp
from app.mail.jobs import deliver
from app.mail.models import MailMessage
from app.mail.settings import MailSettings
from tests.mail.smtp_server import PASSWORD, USERNAME, certificate, mail_server

HELLO = "Subject: Grüße an {{ name }}\n\nHello {{ name }},\n\n{{ link }}\n\nBye\n"
LINK = "https://testserver/reset-password/token_1-2"


@pytest.fixture(scope="session")
def pem(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("certificates"), "mail")


@pytest.fixture
def use_smtp(configure, pem):
    def use(port: int, **values: object) -> None:
        configure(
            **{
                "MAIL_BACKEND": "smtp",
                "MAIL_HOST": "127.0.0.1",
                "MAIL_PORT": port,
                "MAIL_USERNAME": USERNAME,
                "MAIL_PASSWORD": PASSWORD,
                "MAIL_CA_FILE": pem,
                "MAIL_FROM": "Demo <no-reply@demo.example>",
                "MAIL_TIMEOUT": 30,
            }
            | values
        )

    return use


async def write(mails, to: str = "ada@example.com") -> UUID:
    mails(hello=HELLO)
    async with transaction() as db:
        await db.execute(text("DELETE FROM procrastinate_jobs"))  # What other tests left.
        return await service.send(db, to, "sample/hello", name="Ada & <Bob>", link=LINK)


async def row(message_id: UUID) -> MailMessage:
    async with transaction(elevated=True) as db:
        return await db.get_one(MailMessage, message_id)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mail_goes_out_encrypted_and_is_then_forgotten(mails, pem, use_smtp, tls):
    with mail_server(pem, tls=tls) as (postbox, port):
        use_smtp(port, MAIL_TLS=tls)
        message_id = await write(mails)
        await run_until_empty()

    (message,) = postbox.messages
    assert postbox.encrypted == [True]
    assert postbox.envelopes[0].mail_from == "no-reply@demo.example"
    assert postbox.envelopes[0].rcpt_tos == ["ada@example.com"]
    assert message["To"] == "ada@example.com"
    assert message["From"] == "Demo <no-reply@demo.example>"
    assert message["Subject"] == "Grüße an Ada & <Bob>"
    assert message["Message-ID"] == f"<{message_id}@demo.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    plain, html = message.iter_parts()
    assert LINK in plain.get_content()
    assert "Hello Ada & <Bob>," in plain.get_content()
    assert f'<a href="{LINK}"' in html.get_content()
    assert "Hello Ada &amp; &lt;Bob&gt;," in html.get_content()

    kept = await row(message_id)
    assert (kept.status, kept.subject, kept.body) == ("sent", None, None)
    assert kept.sent_at is not None


@pytest.mark.asvs("12.3.2")
async def test_nothing_is_sent_when_the_certificate_is_not_trusted(mails, pem, use_smtp, tmp_path):
    stranger = certificate(tmp_path, "stranger")
    with mail_server(pem) as (postbox, port):
        use_smtp(port, MAIL_CA_FILE=stranger)
        message_id = await write(mails)
        await run_until_empty()

    assert postbox.messages == []
    kept = await row(message_id)
    assert (kept.status, kept.attempts) == ("queued", 1)
    assert kept.body is not None


async def test_starttls_is_not_negotiable(mails, pem, use_smtp):
    with mail_server(pem, tls="none") as (postbox, port):
        use_smtp(port, MAIL_TLS="starttls", MAIL_USERNAME="", MAIL_PASSWORD="")
        message_id = await write(mails)
        await run_until_empty()

        assert postbox.messages == []
        assert (await row(message_id)).status == "queued"

        use_smtp(port, MAIL_TLS="none", MAIL_USERNAME="", MAIL_PASSWORD="")
        await deliver(message_id)

    assert len(postbox.messages) == 1
    assert postbox.encrypted == [False]


async def test_a_wrong_password_is_tried_again_later(mails, pem, use_smtp):
    with mail_server(pem) as (postbox, port):
        use_smtp(port, MAIL_PASSWORD="wrong")
        message_id = await write(mails)
        await run_until_empty()

    assert postbox.messages == []
    kept = await row(message_id)
    assert (kept.status, kept.error) == ("queued", "SMTPAuthenticationError")


async def test_after_a_passing_failure_the_same_message_goes_out(mails, pem, use_smtp):
    with mail_server(pem) as (postbox, port):
        use_smtp(port)
        postbox.answers = ["451 come back later"]
        message_id = await write(mails)
        await run_until_empty()
        assert (await row(message_id)).status == "queued"

        await make_due(message_id)
        await run_until_empty()

    assert [message["Message-ID"] for message in postbox.messages] == [
        f"<{message_id}@demo.example>"
    ]
    kept = await row(message_id)
    assert (kept.status, kept.attempts, kept.error) == ("sent", 2, None)


async def make_due(message_id: UUID) -> None:
    async with transaction() as db:
        await db.execute(
            text(
                "UPDATE procrastinate_jobs SET scheduled_at = now()"
                " WHERE args->>'message_id' = :id AND scheduled_at > now() + interval '5 seconds'"
            ),
            {"id": str(message_id)},
        )


@pytest.mark.parametrize("refusal", ["recipient", "message"])
async def test_what_the_server_refuses_for_good_is_not_tried_again(mails, pem, use_smtp, refusal):
    to = f"nobody.{uuid4().hex[:8]}@example.com"
    with mail_server(pem) as (postbox, port):
        use_smtp(port)
        if refusal == "recipient":
            postbox.refused_recipients[to] = f"550 {to} lives elsewhere"
        else:
            postbox.answers = ["554 spam"]
        message_id = await write(mails, to)
        await run_until_empty()
        kept = await row(message_id)
        assert (kept.status, kept.attempts) == ("failed", 1)
        assert to not in (kept.error or "")

        async with transaction() as db:
            (job,) = [
                job
                for job in await jobs.failed(db)
                if job.arguments == {"message_id": str(message_id)}
            ]
            await jobs.retry(db, job.id)
        postbox.refused_recipients.clear()
        await run_until_empty()

    assert (await row(message_id)).status == "sent"
    assert len(postbox.messages) == 1


async def test_the_last_try_marks_the_mail_as_failed(mails, use_smtp):
    use_smtp(1)  # Nobody listens there.
    message_id = await write(mails)

    with pytest.raises(Exception, match="connect"):
        await deliver(message_id)

    kept = await row(message_id)
    assert (kept.status, kept.body is not None) == ("failed", True)


async def test_a_job_that_runs_twice_sends_once(mails, pem, use_smtp):
    with mail_server(pem) as (postbox, port):
        use_smtp(port)
        message_id = await write(mails)
        async with transaction() as db:
            await enqueue(db, "mail.deliver", message_id=message_id)
        await run_until_empty()

    assert len(postbox.messages) == 1


async def test_mail_that_was_removed_is_no_error():
    await deliver(uuid4())


async def test_a_server_that_says_nothing_does_not_hold_us(mails, use_smtp):
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silence, "127.0.0.1", 0) as server:
        use_smtp(server.sockets[0].getsockname()[1], MAIL_TIMEOUT=0.2)
        message_id = await write(mails)
        async with asyncio.timeout(30):
            await run_until_empty()

    assert (await row(message_id)).status == "queued"


@pytest.mark.asvs("1.3.11")
def test_no_header_takes_a_line_break():
    letter = service.Letter(uuid4(), "ada@example.com", "One\r\nBcc: eve@x.com", "", "", now())
    with pytest.raises(ValueError, match="linefeed"):
        smtp.compose(letter, "no-reply@demo.example")


def test_production_refuses_what_suits_a_laptop(configure, use_smtp):
    assert len(MailSettings.load().production_problems()) == 2
    use_smtp(25, MAIL_TLS="none")
    assert MailSettings.load().production_problems() == [
        "MAIL_TLS must be starttls or tls: mail carries sign-in links."
    ]
    use_smtp(587, MAIL_TLS="starttls")
    assert MailSettings.load().production_problems() == []


@pytest.mark.parametrize("sender", ["nobody", "Demo", "a@b.example\nBcc: eve@x.example"])
def test_the_sender_is_one_address(configure, sender):
    configure(MAIL_FROM=sender)
    with pytest.raises(ValueError, match="MAIL_FROM"):
        MailSettings.load()
