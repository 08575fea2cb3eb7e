"""Who may do what with organisations: shared by endpoints and pages, so both have one budget."""

from typing import Annotated

from app.access.access import allow
from app.access.person import Person
from app.limits.dependencies import limited
from app.limits.service import Rate
from app.users.operators import operators

# Whoever is stuck where a second factor is asked for can still go elsewhere.
Self = Annotated[Person, allow("account.manage", policy=False)]
Founder = Annotated[Person, allow("organizations.create")]
Owner = Annotated[Person, allow("organization.manage", recent=True)]
Operator = Annotated[Person, operators("organizations.read_all")]
# These stand behind the person in a signature: they count by person.
CreateLimit = Annotated[
    None, limited("organizations.create", Rate(10, 3600, strict=True), by="person")
]
AnswerLimit = Annotated[
    None, limited("organizations.answer", Rate(60, 3600, strict=True), by="person")
]
