"""Uploads are larger than other bodies."""

from app.documents.settings import DocumentsSettings

AROUND_THE_FILE = 65_536


def larger() -> dict[str, int]:
    most = DocumentsSettings.load().largest_bytes + AROUND_THE_FILE
    return {"/api/documents": most, "/documents": most}
