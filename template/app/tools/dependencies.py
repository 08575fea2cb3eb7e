"""Who may look at approvals and decide: shared by endpoints and pages."""

from typing import Annotated

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.limits.dependencies import limited
from app.limits.service import Rate

Approver = Annotated[Person, allow("tools.approve")]
# Holds no transaction while the tool runs.
ProvenApprover = Annotated[Person, allow_detached("tools.approve", recent=True)]
# Stands behind the person in a signature: it counts by person.
DecideLimit = Annotated[None, limited("tool-approval", Rate(60, 3600), by="person")]
