"""People with documents. What is uploaded is read by the same code that the worker runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import docx
import httpx2
import pytest
from fastapi import FastAPI
from fpdf import FPDF

from app.documents import jobs
from tests.conftest import new_client
from tests.factories import Someone, make_organization, make_user, sign_in

TRAVEL = "Travel costs are paid back within thirty days. Hand in the receipts at the front desk."


@pytest.fixture(autouse=True)
def files(configure: Callable[..., None], tmp_path: Path) -> Path:
    configure(STORAGE_BACKEND="disk", STORAGE_FOLDER=tmp_path / "files")
    return tmp_path / "files"


def kept(files: Path) -> list[Path]:
    return [path for path in files.rglob("*") if path.is_file()]


@dataclass
class Browser:
    """Someone signed in, with the API at hand."""

    client: httpx2.AsyncClient
    someone: Someone

    async def send(
        self, data: bytes | str, name: str = "travel.txt", media_type: str = "", **fields: Any
    ) -> httpx2.Response:
        content = data.encode() if isinstance(data, str) else data
        return await self.client.post(
            "/api/documents", data=fields, files={"file": (name, content, media_type or None)}
        )

    async def upload(self, data: bytes | str, name: str = "travel.txt", **fields: Any) -> str:
        """A document that is read; its id."""
        sent = await self.send(data, name, **fields)
        assert sent.status_code == 201, sent.text
        await jobs.index(UUID(sent.json()["id"]))
        return str(sent.json()["id"])

    async def get(self, document: str) -> dict[str, Any]:
        found = await self.client.get(f"/api/documents/{document}")
        assert found.status_code == 200, found.text
        return dict(found.json())

    async def search(self, question: str) -> list[dict[str, Any]]:
        found = await self.client.get("/api/documents/search", params={"q": question})
        assert found.status_code == 200, found.text
        return list(found.json())

    async def names(self) -> list[str]:
        found = await self.client.get("/api/documents")
        return [one["name"] for one in found.json()["documents"]]


@pytest.fixture
async def browser_of(app: FastAPI) -> AsyncIterator[Callable[[Someone], Any]]:
    async with AsyncExitStack() as stack:

        async def open_browser(someone: Someone) -> Browser:
            client = await stack.enter_async_context(new_client(app))
            return Browser(await sign_in(client, someone), someone)

        yield open_browser


@pytest.fixture
async def browser(browser_of: Callable[[Someone], Any]) -> Browser:
    """A member."""
    made: Browser = await browser_of(await make_user(password=False))
    return made


@pytest.fixture
async def people(browser_of: Callable[[Someone], Any]) -> dict[str, Browser]:
    """Two members, a reviewer and an administrator of one organisation, and a stranger."""
    organization = await make_organization()
    roles = {"ada": "member", "bob": "member", "rita": "reviewer", "root": "admin"}
    found = {
        name: await browser_of(await make_user(organization, role=role, password=False))
        for name, role in roles.items()
    }
    found["eve"] = await browser_of(await make_user(role="admin", password=False))
    return found


@cache
def a_pdf(*pages: str) -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=12)
    for text in pages or (TRAVEL,):
        made.add_page()
        if text:
            made.multi_cell(0, 8, text)
    return bytes(made.output())


@cache
def a_docx(*paragraphs: str, heading: str = "Travel") -> bytes:
    made, out = docx.Document(), BytesIO()
    made.add_heading(heading, 1)
    for text in paragraphs or (TRAVEL,):
        made.add_paragraph(text)
    made.save(out)
    return out.getvalue()


A_PAGE = (
    f"<!doctype html><html><head><title>T</title></head><body><h1>Travel</h1><p>{TRAVEL}</p>"
    "</body></html>"
)
A_TABLE = "city,hotel,price\nLisbon,Aurora,120\nPorto,Ribeira,95\nFaro,Mar,88\n"
A_MARKDOWN = f"# Travel\n\n{TRAVEL}\n\n## Trains\n\n- Second class is booked by the office.\n"
OF_EACH_KIND = {
    "travel.pdf": a_pdf(),
    "travel.docx": a_docx(),
    "travel.html": A_PAGE.encode(),
    "travel.md": A_MARKDOWN.encode(),
    "hotels.csv": A_TABLE.encode(),
    "travel.txt": TRAVEL.encode(),
}
