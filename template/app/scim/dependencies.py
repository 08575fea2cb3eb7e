"""Who may let a directory in: shared by endpoints and pages."""

from typing import Annotated

from app.access.access import allow
from app.access.person import Person

Manager = Annotated[Person, allow("scim.manage")]
ProvenManager = Annotated[Person, allow("scim.manage", recent=True)]
