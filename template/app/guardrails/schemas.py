"""Shapes of the JSON API."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.guardrails.stricter import Choice


def _a_word(value: str) -> str:
    if not any(one.isalnum() for one in value):
        raise ValueError("A word has letters or digits.")
    return value


Word = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=80),
    AfterValidator(_a_word),
]


class GuardsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=0)
    """The version that is changed, as it was read."""
    actions: dict[str, Choice] = Field({}, max_length=20)
    """By guard; what is left out is as the installation says."""
    words: list[Word] = Field([], max_length=200)
    words_action: Choice = "block"


class GuardsOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    version: int
    """0: nothing was set."""
    actions: dict[str, Choice]
    installation: dict[str, str]
    """What each guard that can be made stricter does about what it finds."""
    words: list[str]
    words_action: Choice
    changed_at: datetime | None
