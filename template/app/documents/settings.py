from importlib.util import find_spec
from shutil import which
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict
from yarl import URL

from app.core.outside import Outside
from app.core.settings import ModuleSettings, answers

REGULATED = bool(answers().get("compliance", {}).get("regimes"))


class DocumentsSettings(ModuleSettings):
    """What may be uploaded, and how it is read and found."""

    model_config = SettingsConfigDict(env_prefix="DOCUMENTS_")

    largest_bytes: int = Field(20 * 1024 * 1024, ge=1024)
    """The largest file."""
    bytes_per_organization: int = Field(5 * 1024**3, ge=1024)
    """All files of one organisation together."""
    scanner: str = ""
    """Where ClamAV's daemon looks for viruses in uploads: `tcp://clamav:3310` or
    `unix:///run/clamav/clamd.ctl`. `none` takes files that nobody looked at; empty does so on a
    laptop, and production does not start."""
    scanner_seconds: float = Field(60, gt=0)
    """The longest that the scanner may take for each answer; without one a file is not taken."""
    reading_seconds: int = Field(60, ge=1)
    """The longest that reading one file may take."""
    reading_megabytes: int = Field(768, ge=128)
    """The most memory that reading one file may take."""
    ocr: Literal["none", "tesseract"] = "none"
    """What recognises the text of scanned pages in a PDF and of pictures; `none` refuses both."""
    ocr_languages: str = Field("eng", pattern=r"^[A-Za-z_]{3,12}(\+[A-Za-z_]{3,12})*$")
    """In which languages, as tesseract calls them: `eng+deu`. Each needs its package."""
    ocr_pages: int = Field(50, ge=1, le=500)
    """The most scanned pages of one file that are recognised."""
    ocr_seconds: int = Field(300, ge=5, le=700)
    """The longest that this may take for one file."""
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

    @field_validator("scanner")
    @classmethod
    def _an_address(cls, value: str) -> str:
        url = URL(value)
        good = (url.scheme == "tcp" and url.host and url.port) or (
            url.scheme == "unix" and not url.host and len(url.path) > 1
        )
        if value not in {"", "none"} and not good:
            raise ValueError("DOCUMENTS_SCANNER: write tcp://host:port, unix:///path or none")
        return value

    @property
    def scanner_url(self) -> str:
        """Empty when files are not scanned."""
        return "" if self.scanner == "none" else self.scanner

    def production_problems(self) -> list[str]:
        found = []
        if not self.scanner:
            found = ["DOCUMENTS_SCANNER must name ClamAV's daemon; `none` takes files unscanned."]
        if self.ocr == "tesseract" and not (which("tesseract") and find_spec("pypdfium2")):
            found.append(
                "DOCUMENTS_OCR=tesseract needs the program tesseract and the group of packages ocr."
            )
        return found

    def outside(self) -> list[Outside]:
        return [
            Outside(
                name="Virus scanner",
                gets="looks for viruses: each file that is uploaded",
                setting="DOCUMENTS_SCANNER",
                addresses=(self.scanner,) if self.scanner.startswith("tcp:") else (),
            )
        ]
