"""Why a file is not taken, by the names that people and programs are told."""

from app.core.errors import Invalid
from app.documents import quality
from app.documents.reading import content

VIRUS = {"virus": "The virus scanner found something harmful in the file."}
REASONS = content.REASONS | quality.REASONS | VIRUS


class FileRefused(Invalid):
    """The file is not taken; `reason` says why in one word, `detail` in a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason], errors={"file": REASONS[reason]})
        self.reason = reason
        self.extra["reason"] = reason
