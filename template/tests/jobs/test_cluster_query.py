"""What a cluster asks the queue before it starts another worker (deploy/chart)."""

import re
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

import app
from app.core.db import transaction

SCALING = Path(app.__file__).parents[1] / "deploy" / "chart" / "templates" / "scaling.yaml"


async def test_it_counts_what_is_due_or_being_done_and_nothing_else(database):
    found = re.search(r"query: >-\n(.*?)\n\s+targetQueryValue", SCALING.read_text(), re.DOTALL)
    assert found
    query = text(" ".join(found[1].split()))
    insert = text(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, scheduled_at)"
        " VALUES ('q', 't', CAST(:status AS procrastinate_job_status), now() + :after)"
    )
    kinds = ("todo", -1), ("doing", -1), ("todo", 60), ("succeeded", -1), ("failed", -1)

    async with transaction() as db:
        before = await db.scalar(query)
        for status, minutes in kinds:
            await db.execute(insert, {"status": status, "after": timedelta(minutes=minutes)})

        assert await db.scalar(query) == before + 2
