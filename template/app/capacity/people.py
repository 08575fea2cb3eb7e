"""People for a load test: an organisation of their own, each with a session."""

from collections.abc import Iterator
from datetime import datetime

from app.access import service as sessions
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import keyed_digest, new_token
from app.core.db import transaction
from app.core.ids import uuid7
from app.users.models import Membership, Organization, User


async def make(count: int) -> list[tuple[str, str]]:
    """Session and CSRF token of each. What they do costs tokens like anybody's."""
    word = new_token()[:8].lower().replace("_", "a").replace("-", "b")
    organization = Organization(id=uuid7(), name=f"Load test {word}", slug=f"load-test-{word}")
    people = list(_people(count, word, now()))
    made = []
    async with transaction(elevated=True) as db:
        db.add(organization)
        db.add_all(people)
        await db.flush()
        db.add_all(
            Membership(organization_id=organization.id, user_id=one.id, role="member")
            for one in people
        )
        await db.flush()
        for one in people:
            token, _ = await sessions.start(
                db,
                user_id=one.id,
                organization_id=organization.id,
                level="full",
                second_factor=True,
                method="password",
            )
            made.append((token, keyed_digest(token, "csrf session").hex()))
        await audit.record(
            db,
            "load-test.people_made",
            organization_id=organization.id,
            detail={"count": count},
        )
    return made


def _people(count: int, word: str, moment: datetime) -> Iterator[User]:
    for number in range(count):
        yield User(
            id=uuid7(),
            email=f"load.{word}.{number}@load-test.invalid",
            display_name=f"Load test {number}",
            activated_at=moment,
        )
