"""Who may look at abuse and decide about it: shared by endpoints and pages."""

from typing import Annotated

from app.access.access import allow
from app.access.person import Person

Reader = Annotated[Person, allow("abuse.read")]
Manager = Annotated[Person, allow("abuse.manage", recent=True)]
