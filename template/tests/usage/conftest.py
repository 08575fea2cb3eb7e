from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from app.access.person import Person
from app.access.roles import granted
from app.core import db, embedded
from app.core.clock import now
from app.core.direct import direct
from app.core.ids import uuid7
from app.llm import settling
from app.usage import budgets, ceilings, installation, service
from app.usage.installation import Everybody
from app.usage.models import UsageRecord
from app.usage.service import Reservation, Used
from app.users.service import the_organization
from tests.factories import Someone, make_user, sign_in
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.leftovers import take_away

MONTH = "USAGE_ORGANIZATION_DOLLARS_PER_MONTH"


def person_of(someone: Someone) -> Person:
    """A signed-in person, without the round trip over a session."""
    return Person(
        user_id=someone.user_id,
        organization_id=someone.organization_id,
        session_id=uuid7(),
        email=someone.email,
        display_name="Ada Lovelace",
        role=someone.role,
        level="full",
        second_factor=False,
        authenticated_at=now(),
        created_at=now(),
        second_factor_policy=None,
        organization_name="Engines",
        permissions=granted(someone.role),
    )


@dataclass
class Till:
    """Reserves and settles for one person."""

    person: Person
    reserved: list[Reservation] = field(default_factory=list)

    async def reserve(self, tokens: int = 100, microdollars: int = 1000, **more) -> Reservation:
        named = {one: more.pop(one) for one in ("feature", "provider") if one in more}
        made = self.reservation(tokens, microdollars, **named)
        await service.reserve(made, **{"model": "m", "price_known": True, "seconds": 60} | more)
        self.reserved.append(made)
        return made

    def reservation(
        self, tokens: int, microdollars: int, feature: str = "chat", provider: str = "openai"
    ) -> Reservation:
        """Not made yet."""
        whose = (self.person.organization_id, self.person.user_id)
        return Reservation(uuid7(), *whose, feature, provider, tokens, microdollars)

    async def settle(
        self, reservation: Reservation, tokens: int = 50, microdollars: int = 500, **more
    ) -> bool:
        """Whether it was booked by this."""
        used = Used("m", input_tokens=tokens, microdollars=microdollars, **more)
        before = await self.finished_at(reservation)
        async with direct() as transaction:
            await service.settle(transaction, reservation, used, "answered")
        return await self.finished_at(reservation) != before

    async def finished_at(self, reservation: Reservation) -> datetime | None:
        query = select(UsageRecord.finished_at).where(UsageRecord.id == reservation.call_id)
        async with db.transaction(organization_id=self.person.organization_id) as session:
            return await session.scalar(query)

    async def sums(self, period: str = "month", *, everyone: bool = False) -> tuple[int, ...]:
        """Calls, tokens, microdollars, and both as they are reserved."""
        async with db.transaction(organization_id=self.person.organization_id) as session:
            row = await session.execute(
                text(
                    "SELECT calls, tokens, microdollars, reserved_tokens, reserved_microdollars"
                    " FROM usage_counters WHERE period = :period"
                    " AND user_id IS NOT DISTINCT FROM :user_id"
                ),
                {"period": period, "user_id": None if everyone else self.person.user_id},
            )
            return tuple(row.one())


@pytest.fixture
async def till(app: FastAPI) -> Till:
    return Till(person_of(await make_user(password=False)))


async def limit(person: Person, user_id: UUID | None = None, **values: Any) -> None:
    """Set budgets; those not named stay with the settings."""
    async with db.transaction(
        organization_id=person.organization_id, user_id=person.user_id
    ) as session:
        await budgets.set_limit(session, person, user_id=user_id, **values)


async def everybody() -> Everybody:
    """What all organisations of this database spent and have reserved."""
    await settling.drain()
    async with db.transaction(elevated=True) as session:
        return await installation.read(session)


@pytest.fixture(scope="module")
def no_old_spending(database: embedded.Urls) -> None:
    """For who looks at the spending of all organisations."""
    take_away(database, "DELETE FROM usage_counters; DELETE FROM usage_installation")


async def give(organization_id: UUID, **values: int | None) -> None:
    async with db.transaction(elevated=True) as session:
        await ceilings.give(session, organization_id, values)


async def own_limits_above(till: Till, **values: int) -> None:
    """As they were set before there were ceilings."""
    whose = {"organization_id": till.person.organization_id}
    async with db.transaction(**whose) as session:
        for name, amount in values.items():
            await session.execute(
                text(
                    f"INSERT INTO usage_limits (id, organization_id, {name})"
                    " VALUES (gen_random_uuid(), :organization_id, :amount)"
                    " ON CONFLICT ON CONSTRAINT uq_usage_limits_holder DO UPDATE"
                    f" SET {name} = excluded.{name}"
                ),
                whose | {"amount": amount},
            )


@pytest.fixture
async def operators(app) -> UUID:
    async with db.transaction(elevated=True) as session:
        return (await the_organization(session)).id


@pytest.fixture
async def operator(client: httpx2.AsyncClient, operators: UUID) -> Someone:
    """An administrator of those who run the app, signed in."""
    made = await make_user(operators, role="admin", password=False)
    await sign_in(client, made, second_factor=True)
    return made
