from pathlib import Path
from uuid import uuid4

import pytest

import app.mail.templates as templates
from app.core.db import transaction
from app.mail import service
from tests.leftovers import no_old_jobs as no_old_jobs

HELLO = "Subject: {{ subject }}\n\n{{ body }}\n"


@pytest.fixture
def mails(tmp_path, monkeypatch):
    """A folder of a module's mails: `mails(hello="Subject: ...")` writes `sample/hello`."""
    monkeypatch.setattr(templates, "APP", tmp_path)
    templates._parts.cache_clear()
    folder: Path = tmp_path / "sample" / "mails"
    folder.mkdir(parents=True)

    def write(**texts: str) -> None:
        for name, text in texts.items():
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")

    yield write
    templates._parts.cache_clear()


@pytest.fixture
def written(mails):
    mails(hello=HELLO)

    async def write(to: str, subject: str, body: str = "Hello"):
        async with transaction() as db:
            return await service.send(db, to, "sample/hello", subject=subject, body=body)

    return write


def address() -> str:
    return f"ada_{uuid4().hex[:12]}@example.com"
