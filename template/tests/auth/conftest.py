import re
import secrets
from collections.abc import Awaitable, Callable

import pytest

from app.core import db
from app.jobs.queue import run_until_empty
from app.mail import service as mail
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser


@pytest.fixture
def new_address() -> str:
    return f"grace.{secrets.token_hex(6)}@example.com"


@pytest.fixture
def mails_to() -> Callable[[str], Awaitable[list[mail.Letter]]]:
    """The mails that reached an address, newest first, after all jobs have run."""

    async def read(address: str) -> list[mail.Letter]:
        await run_until_empty()
        async with db.transaction(elevated=True) as session:
            return await mail.inbox(session, to=address)

    return read


@pytest.fixture
def link_in() -> Callable[[mail.Letter], str]:
    """The token at the end of the one link in a mail."""

    def find(letter: mail.Letter) -> str:
        return re.search(r"https?://\S+/([\w-]{20,})", letter.body)[1]

    return find
