"""From a request's body to a document that waits to be read. No transaction is open meanwhile."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.db import transaction
from app.core.errors import Problem
from app.documents import names, scanner, service
from app.documents.models import Document
from app.documents.multipart import Upload
from app.documents.reading.content import Refused
from app.documents.reading.kinds import HEAD, PICTURES, kind_of
from app.documents.reasons import FileRefused
from app.documents.service import Audience
from app.documents.settings import DocumentsSettings
from app.storage import service as storage


class Wanted(BaseModel):
    """The fields that come before the file."""

    model_config = ConfigDict(extra="ignore")

    audience: Audience = "person"
    roles: list[str] = Field([], max_length=20)
    replaces: UUID | None = None
    accept_changes: bool = False


async def receive(person: Person, upload: Upload, wanted: Wanted) -> Document:
    """Keep a file and have it read. Raises `FileRefused` and the problems of `service`."""
    name = names.clean(upload.name)
    head = await _head(upload.chunks)
    try:
        kind = kind_of(name, head, upload.media_type)
        if kind in PICTURES and DocumentsSettings.load().ocr == "none":
            raise Refused("not_accepted")
    except Refused as refusal:
        await _record(person, refusal.reason)
        raise FileRefused(refusal.reason) from refusal
    async with _own(person) as db:
        document = await service.begin(
            db,
            person,
            name=name,
            kind=kind,
            audience=wanted.audience,
            roles=wanted.roles,
            replaces=wanted.replaces,
            accepts_changes=wanted.accept_changes,
        )
    try:
        async with aclosing(scanner.scanned(_whole(head, upload.chunks))) as clean:
            kept = await storage.keep(
                document.file_name, clean, most=DocumentsSettings.load().largest_bytes
            )
        async with _own(person) as db:
            return await service.arrived(db, person, document.id, kept)
    except BaseException as error:
        # What is left of a process that died here is cleared away by `documents.sweep`.
        with suppress(Problem):
            async with _own(person) as db:
                is_noted = await service.give_up(db, document.id)
            if not is_noted:  # Its document went while the file came: nobody else knows of it.
                await storage.remove(document.file_name)
        if isinstance(error, scanner.VirusFound):
            await _record(person, error.reason, found=error.found)
        elif isinstance(error, FileRefused):
            await _record(person, error.reason)
        raise


async def _head(chunks: AsyncGenerator[bytes, None]) -> bytes:
    parts: list[bytes] = []
    async for chunk in chunks:
        parts.append(chunk)
        if sum(map(len, parts)) >= HEAD:
            break
    return b"".join(parts)


async def _whole(head: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield head
    async for chunk in rest:
        yield chunk


def _own(person: Person) -> AbstractAsyncContextManager[AsyncSession]:
    return transaction(organization_id=person.organization_id, user_id=person.user_id)


async def _record(person: Person, reason: str, **more: str) -> None:
    detail = {"reason": reason} | more
    async with _own(person) as db:
        await audit.record(db, "document.refused", person=person, detail=detail)


def fields_of(upload: Upload) -> dict[str, str | Sequence[str]]:
    """The fields as `Wanted` reads them; the last one of a name counts, of roles all."""
    given = {name: values[-1] for name, values in upload.fields.items() if values[-1] != ""}
    roles = [one for one in upload.fields.get("roles", []) if one]
    return given | {"roles": roles}
