"""Subjects of mails."""

from app.core.settings import answers


def about(subject: str) -> str:
    """Without the name of the project, which may hold anything, also a colon."""
    before = f"{answers()['project']['name']}: "
    assert subject.startswith(before)
    return subject.removeprefix(before)
