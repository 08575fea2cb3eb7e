"""What the person's documents say about a question, for `llm/steps/context.py`."""

from collections.abc import Sequence

from app.access.person import Person
from app.documents.search import Hit, search
from app.documents.settings import DocumentsSettings
from app.llm.port import Passage
from app.modules import has

WHERE = "/documents" if has("web") else "/api/documents"


async def passages(person: Person, question: str) -> Sequence[Passage]:
    if "documents.read" not in person.permissions:
        return ()
    limit = DocumentsSettings.load().passages_per_answer
    return [_passage(hit) for hit in await search(person, question, limit=limit)]


def _passage(hit: Hit) -> Passage:
    path = hit.heading if hit.page is None else f"page {hit.page}"
    return Passage(hit.text, hit.name, path, f"{WHERE}/{hit.document_id}")
