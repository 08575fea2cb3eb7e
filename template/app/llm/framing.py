"""Texts of others stand between tags that nothing in them can close, or open once more."""

import re

TAGS = ("passages", "before", "said", "question", "answer", "rubric")
_TAG = re.compile(rf"<(?=[\s/]*(?:{'|'.join(TAGS)})\b)", re.IGNORECASE)


def framed(tag: str, text: str) -> str:
    """The text between `<tag>` and `</tag>`, and none of our tags within."""
    return f"<{tag}>\n{plain(text)}\n</{tag}>"


def plain(text: str) -> str:
    return _TAG.sub("‹", text)
