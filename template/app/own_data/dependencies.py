"""Only the person, never a key or an administrator as them, and after a fresh proof."""

from typing import Annotated

from app.access.access import allow
from app.access.person import Person
from app.limits.dependencies import limited
from app.limits.service import Rate

Self = Annotated[Person, allow("account.manage", policy=False)]
ProvenSelf = Annotated[Person, allow("account.manage", recent=True, policy=False)]
AskLimit = Annotated[None, limited("own_data", Rate(5, 86_400), by="person")]
