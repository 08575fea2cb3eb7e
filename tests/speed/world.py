"""The app's database with people in it: what is measured asks in their names."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Self

from servers import TEMPLATE


class World:
    """The app's database with people in it, and the environment that servers get.

    `with World(folder) as world:` takes all of it away again: as root its files are elsewhere.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "database"
        os.environ["DATABASE_FOLDER"] = str(self.folder)
        from app.core import db, migrate

        migrate.upgrade()
        self.environment = {
            "DATABASE_URL": db.app_url(),
            "DATABASE_OWNER_URL": db.owner_url(),
            "JOBS_IN_PROCESS": "false",
            "LIMITS_ADDRESS_PER_MINUTE": "10000000",
            "ABUSE_READS_PER_PERSON": "10000000",
            "ABUSE_PROMPTS_PER_PERSON": "10000000",
            "ABUSE_PROMPTS_PER_ORGANIZATION": "10000000",
            # Like production, with lines of JSON for every request; only that refuses a laptop's
            # mail, model and database.
            "APP_ENV": "test",
        }
        sys.path.insert(0, str(TEMPLATE))
        self.people, self.tokens = asyncio.run(self._people())
        self.cookie = f"Cookie: __Host-session={self.tokens[0]}"
        self.floor = self._floor()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        from app.core import embedded

        embedded.remove(self.folder)

    async def _people(self) -> tuple[list[str], list[str]]:
        from app.access import service as sessions
        from app.core import db
        from tests.factories import make_organization, make_user

        organization = await make_organization()
        people = [await make_user(organization) for _ in range(200)]
        async with db.transaction(elevated=True) as session:
            tokens = [
                (
                    await sessions.start(
                        session,
                        user_id=one.user_id,
                        organization_id=one.organization_id,
                        level="full",
                        method="password",
                    )
                )[0]
                for one in people
            ]
        await db.close()
        return [one.email for one in people], tokens

    def chats(self, count: int) -> list[tuple[str, tuple[str, str]]]:
        """Where to ask, with the headers of who asks: new conversations, without a history."""
        return asyncio.run(self._chats(count))

    async def forbid(self, word: str) -> None:
        """The organisation's own guard, which reads questions and answers."""
        from app.access.person import identify
        from app.core import db
        from app.guardrails import service

        async with db.transaction() as session:
            person = await identify(session, self.tokens[0])
            assert person
            own = {"actions": {}, "words": [word], "words_action": "block"}
            await service.set_own(session, person, version=0, **own)
        await db.close()

    async def _chats(self, count: int) -> list[tuple[str, tuple[str, str]]]:
        from app.access.person import identify
        from app.assistant import service
        from app.core import db
        from app.core.crypto import keyed_digest

        made = []
        for number in range(count):
            token = self.tokens[number % len(self.tokens)]
            async with db.transaction() as session:
                person = await identify(session, token)
                assert person
                one = (await service.create(session, person, "")).id
            csrf = keyed_digest(token, "csrf session").hex()
            who = (f"Cookie: __Host-session={token}", f"X-CSRF-Token: {csrf}")
            made.append((f"/api/conversations/{one}/messages", who))
        await db.close()
        return made

    def _floor(self) -> dict[str, str]:
        from app.core.clock import now
        from app.core.db import owner_url, sqlalchemy_url
        from app.core.ids import uuid7
        from floors import Base, Reader
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session

        url, one = sqlalchemy_url(owner_url()), uuid7()
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all(
                Reader(
                    id=one if not number else uuid7(),
                    email=f"reader{number}@example.com",
                    display_name="Reader",
                    role="member",
                    created_at=now(),
                )
                for number in range(1000)
            )
            session.commit()
        engine.dispose()
        return {"FLOOR_DATABASE_URL": url, "FLOOR_ID": str(one)}
