"""A sample that can be proved: whether something is drawn follows from its id and the share.

Nobody chooses, and whoever has the ids can draw again and finds the same.
"""

from hashlib import sha256
from uuid import UUID

WHOLE = 1 << 64


def drawn(id_: UUID, share: float, purpose: str) -> bool:
    """What is drawn for a share is drawn for every larger one, too."""
    mark = sha256(purpose.encode() + id_.bytes).digest()[:8]
    return int.from_bytes(mark, "big") < share * WHOLE
