from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings, answers

REGULATED = bool(answers().get("compliance", {}).get("regimes"))


class DocumentsSettings(ModuleSettings):
    """What may be uploaded, and how it is read and found."""

    model_config = SettingsConfigDict(env_prefix="DOCUMENTS_")

    largest_bytes: int = Field(20 * 1024 * 1024, ge=1024)
    """The largest file."""
    bytes_per_organization: int = Field(5 * 1024**3, ge=1024)
    """All files of one organisation together."""
    reading_seconds: int = Field(60, ge=1)
    """The longest that reading one file may take."""
    reading_megabytes: int = Field(768, ge=128)
    """The most memory that reading one file may take."""
    readers: int = Field(2, ge=1)
    """Files that one worker reads at the same time."""
    personal_data: Literal["keep", "mask", "refuse"] = "mask" if REGULATED else "keep"
    """What becomes of card and account numbers, mail addresses and phone numbers in a document."""
    shortest_characters: int = Field(20, ge=1)
    """A document with less text is refused."""
    passage_characters: int = Field(1_200, ge=200, le=8_000)
    """How long a passage is that is found and given to the model; a change needs a new index."""
    passages_per_answer: int = Field(6, ge=1, le=30)
    """How many passages a question brings along at most."""
    stale_days: int = Field(365, ge=1)
    """Older documents are counted as out of date on the page of figures."""
