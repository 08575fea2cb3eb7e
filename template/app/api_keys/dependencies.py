"""Who may do what with keys: shared by endpoints and pages, so both have one budget."""

from typing import Annotated

from app.access.access import allow
from app.access.person import Person
from app.limits.dependencies import limited
from app.limits.service import Rate

Owner = Annotated[Person, allow("api_keys.use")]
ProvenOwner = Annotated[Person, allow("api_keys.use", recent=True)]
Manager = Annotated[Person, allow("api_keys.manage")]
# Stands behind the person in a signature: it counts by person.
MakeLimit = Annotated[None, limited("api-key", Rate(30, 3600, strict=True), by="person")]
