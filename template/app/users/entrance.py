"""Which organisation someone enters by signing in. As app_auth: nobody is signed in yet."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Forbidden


class AccountSuspended(Forbidden):
    pass


class NotThisWay(Forbidden):
    """The organisation's policy lets nobody in by this way, or nobody with such an address."""


FIND = text("SELECT * FROM find_entrance(:person, :way, :wanted)")


@dataclass(frozen=True)
class Entrance:
    organization_id: UUID
    suspended: bool
    allowed: bool

    def enter(self) -> UUID:
        """Raise `AccountSuspended` or `NotThisWay`. Only after the person proved who they are."""
        if self.suspended:
            raise AccountSuspended("This account is suspended; ask an administrator.")
        if not self.allowed:
            raise NotThisWay(
                "Your organisation does not let you in this way; sign in in another one,"
                " or ask an administrator."
            )
        return self.organization_id


async def find(
    db: AsyncSession, user_id: UUID, *, method: str, organization_id: UUID | None = None
) -> Entrance | None:
    """Of a person's organisations one that lets in by this way, the last one used first.

    With `organization_id` only that one. None for who belongs nowhere.
    """
    values = {"person": user_id, "way": method, "wanted": organization_id}
    row = (await db.execute(FIND, values)).one_or_none()
    return Entrance(*row) if row else None
