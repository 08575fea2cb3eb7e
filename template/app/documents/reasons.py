"""Why a file is not taken, by the names that people and programs are told."""

from app.core.errors import Invalid
from app.documents import quality
from app.documents.reading import content

REASONS = content.REASONS | quality.REASONS


class FileRefused(Invalid):
    """The file is not taken; `reason` says why in one word, `detail` in a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason], errors={"file": REASONS[reason]})
        self.reason = reason
        self.extra["reason"] = reason
