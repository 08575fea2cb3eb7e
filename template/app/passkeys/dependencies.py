"""How often: shared by endpoints and pages, so both have one budget."""

from typing import Annotated

from app.limits.dependencies import limited
from app.limits.service import Rate

# A page that waits for a passkey asks anew every few minutes, and offices share an address.
STRANGERS_OPTIONS = limited("passkey-options", Rate(120, 300))
# Stands behind the person in a signature: it counts by person.
TriesLimit = Annotated[None, limited("passkey", Rate(30, 300, strict=True), by="person")]
