from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class ConversationIn(BaseModel):
    title: Title | None = None


class ConversationChange(BaseModel):
    title: Title


class ConversationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    created_at: datetime
    updated_at: datetime


class ConversationPage(BaseModel):
    conversations: list[ConversationOut]
    next: str | None
    """Give it as `after` to get the next page."""


class MessageOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    turn_id: UUID
    role: str
    text: str
    state: str
    idempotency_key: str | None
    call_id: UUID | None
    metadata: Annotated[dict[str, Any], Field(validation_alias="details")]
    created_at: datetime


class ConversationWithMessages(ConversationOut):
    messages: list[MessageOut]
    earlier: UUID | None
    """Give it as `before` to get the messages before these."""


class Question(BaseModel):
    # How long is too long is the gateway's to say, in tokens and with a sentence.
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
