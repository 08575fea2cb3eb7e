"""Stopping what models do: a flag for each feature, and one for all of them together."""

from uuid import UUID

from app.access.person import Person
from app.core.errors import Unavailable
from app.flags import state

PREFIX = "model."
ALL = "model.all"
RETRY_SECONDS = 300


class FeatureSwitchedOff(Unavailable):
    """Somebody who runs the app has switched off what was asked for."""


async def check(
    feature: str, *, organization_id: UUID, role: str = "", who: UUID | None = None
) -> None:
    """Raise `FeatureSwitchedOff`, or `FlagsNotLoaded` while nobody knows. Costs no statement."""
    await state.kept.ready()
    for name in (ALL, PREFIX + feature):
        found = state.flag(name)
        if found and not found.is_on_for(organization_id, role, str(who or organization_id)):
            raise FeatureSwitchedOff(
                "This is switched off at the moment, so the model was not asked.",
                retry_after=RETRY_SECONDS,
            )


async def check_person(feature: str, person: Person) -> None:
    await check(
        feature, organization_id=person.organization_id, role=person.role, who=person.user_id
    )
