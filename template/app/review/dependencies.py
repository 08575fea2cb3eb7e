"""Who may look at answers, and who may ask for it: shared by endpoints and pages."""

from typing import Annotated

from app.access.access import allow
from app.access.person import Person
from app.limits.dependencies import limited
from app.limits.service import Rate

Reviewer = Annotated[Person, allow("review.work")]
Asker = Annotated[Person, allow("review.ask")]
AskLimit = Annotated[None, limited("review-ask", Rate(30, 3600), by="person")]
