"""The same words as HTML, for mail programs that prefer it."""

import re

from markupsafe import Markup

from app.core.settings import get_settings

PAGE = Markup(
    '<!doctype html><html><head><meta charset="utf-8"><title>{subject}</title></head>'
    '<body style="font: 16px/1.5 sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em">'
    "{body}</body></html>"
)
PARAGRAPH = Markup("<p>{}</p>")
LINE = Markup("<br>")
LINK = Markup('<a href="{0}" rel="noopener noreferrer">{0}</a>')


def as_html(subject: str, body: str) -> str:
    """Escaped text in paragraphs; what leads to us can be clicked."""
    return PAGE.format(subject=subject, body=paragraphs(body))


def paragraphs(body: str) -> Markup:
    blocks = (block.strip() for block in body.replace("\r\n", "\n").split("\n\n"))
    return Markup("\n").join(
        PARAGRAPH.format(LINE.join(_linked(line) for line in block.split("\n")))
        for block in blocks
        if block
    )


def _linked(line: str) -> Markup:
    # Only our own addresses: a name can hold one too, and is chosen by a stranger.
    host = re.escape(get_settings().public_url)
    ours = rf"({host}(?:/(?:[\w/?=&%.~+-]*[\w/=~-])?|(?![\w@:/-]|\.\w)))"
    pieces = re.split(ours, line)
    return Markup().join(LINK.format(one) if i % 2 else one for i, one in enumerate(pieces))
