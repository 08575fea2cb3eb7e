"""What earlier tests left to be done. Whoever lets the worker run, or looks at all organisations,
would do it all: hundreds of mails that nobody reads, in a test that is about one."""

import psycopg
import pytest

from app.core import embedded


@pytest.fixture(scope="module", autouse=True)
def no_old_jobs(database: embedded.Urls) -> None:
    take_away(database, "DELETE FROM procrastinate_jobs WHERE status = 'todo'")


def take_away(database: embedded.Urls, statement: str) -> None:
    with psycopg.connect(database.admin, autocommit=True) as admin:
        admin.execute(statement.encode())
