from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Use letters that can be seen, on one line.")
    return text


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=10, max_length=300),
    AfterValidator(_printable),
    Field(description="The person reads it afterwards."),
]


class Start(BaseModel):
    reason: Reason
    minutes: Annotated[int, Field(ge=1, le=60)] | None = None


class Started(BaseModel):
    user_id: UUID
    ends_at: datetime
    csrf_token: str = Field(description="Send it as X-CSRF-Token with every change.")


class Ended(BaseModel):
    csrf_token: str = Field(description="Of one's own session again.")
