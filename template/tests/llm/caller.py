"""Someone who asks through the gateway, and looks at what was written down."""

from contextlib import aclosing
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text

from app.access.person import Person
from app.audit.models import Event
from app.core import db
from app.core.errors import Problem
from app.llm import gateway
from app.llm.port import Ask, Delta, Done, Message
from app.usage.models import UsageRecord

SYSTEM = "You are the assistant of Example Ltd. Answer briefly and never promise any refund at all."
KEY = "sk-live-" + "T4xkQ29fLmZ7vWc8RbN3yHs6Jd1G"


@dataclass
class Caller:
    """Someone who asks."""

    person: Person

    async def ask(self, question: str = "Who are you?", **more) -> tuple[str, Done | None]:
        """What was shown, and the Done if there was one."""
        messages = [Message("system", SYSTEM), Message("user", question)]
        shown, done = "", None
        ask = Ask(**{"messages": messages, "feature": "test"} | more)
        async with aclosing(gateway.answer(self.person, ask)) as events:
            async for event in events:
                if isinstance(event, Delta):
                    shown += event.text
                else:
                    done = event
        return shown, done

    async def refused(self, kind: type[Problem], question: str = "Who are you?", **more) -> Problem:
        with pytest.raises(kind) as caught:
            await self.ask(question, **more)
        return caught.value

    async def shown_until(self, kind: type[Problem]) -> str:
        """What was shown before the problem."""
        shown = ""
        messages = [Message("system", SYSTEM), Message("user", "Who are you?")]
        try:
            async for event in gateway.answer(self.person, Ask(messages, feature="test")):
                shown += event.text
        except kind:
            return shown
        pytest.fail("The answer went through.")

    async def entry(self) -> UsageRecord:
        """The one line in the ledger."""
        return (await self._rows(UsageRecord))[0]

    async def entries(self) -> list[UsageRecord]:
        return await self._rows(UsageRecord)

    async def event(self) -> Event:
        """The last event of a model call in the audit log."""
        events = await self._rows(Event)
        return [one for one in events if one.action.startswith("model.")][-1]

    async def actions(self) -> list[str]:
        """What the audit log holds of model calls, in order."""
        found = [one.action for one in await self._rows(Event)]
        return [one for one in found if one.startswith("model.")]

    async def reserved(self) -> int:
        """What all counters together still hold back; nothing, once no call runs."""
        async with db.transaction(organization_id=self.person.organization_id) as session:
            return await session.scalar(
                text("SELECT sum(reserved_tokens + reserved_microdollars) FROM usage_counters")
            )

    async def refusals(self) -> int:
        """How often a budget refused something."""
        async with db.transaction(organization_id=self.person.organization_id) as session:
            return await session.scalar(text("SELECT sum(refused) FROM usage_counters"))

    async def booked(self) -> int:
        """Tokens that the person's counters of this month hold."""
        async with db.transaction(organization_id=self.person.organization_id) as session:
            return await session.scalar(
                text(
                    "SELECT sum(tokens) FROM usage_counters"
                    " WHERE period = 'month' AND user_id IS NOT NULL"
                )
            )

    async def _rows(self, kind: type) -> list:
        async with db.transaction(organization_id=self.person.organization_id) as session:
            return list(await session.scalars(select(kind).order_by(kind.created_at)))
