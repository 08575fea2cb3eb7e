from pathlib import Path

import pytest

import app.mail.templates as templates


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
