"""Who may do what with people: shared by endpoints and pages, so both have one budget."""

from typing import Annotated

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.limits.dependencies import limited
from app.limits.service import Rate

Self = Annotated[Person, allow("account.manage", policy=False)]
# An administrator who works as someone else sees who that is.
Looker = Annotated[Person, allow("account.manage", policy=False, impersonated=True)]
LookerDetached = Annotated[
    Person, allow_detached("account.manage", policy=False, impersonated=True)
]
Reader = Annotated[Person, allow("users.read")]
Manager = Annotated[Person, allow("users.manage", recent=True)]
Organizer = Annotated[Person, allow("organization.manage")]
ProvenOrganizer = Annotated[Person, allow("organization.manage", recent=True)]
RoleManager = Annotated[Person, allow("roles.manage", recent=True)]
# Stands behind the person in a signature: it counts by person.
InviteLimit = Annotated[None, limited("invite", Rate(50, 3600, strict=True), by="person")]
