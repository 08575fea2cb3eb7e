"""The same words as HTML, for mail programs that prefer it."""

from jinja2.utils import urlize
from markupsafe import Markup

PAGE = Markup(
    '<!doctype html><html><head><meta charset="utf-8"><title>{subject}</title></head>'
    '<body style="font: 16px/1.5 sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em">'
    "{body}</body></html>"
)
PARAGRAPH = Markup("<p>{}</p>")
LINE = Markup("<br>")


def as_html(subject: str, body: str) -> str:
    """Escaped text in paragraphs, with links that can be clicked."""
    return PAGE.format(subject=subject, body=paragraphs(body))


def paragraphs(body: str) -> Markup:
    blocks = (block.strip() for block in body.replace("\r\n", "\n").split("\n\n"))
    return Markup("\n").join(
        PARAGRAPH.format(LINE.join(_linked(line) for line in block.split("\n")))
        for block in blocks
        if block
    )


def _linked(line: str) -> Markup:
    return Markup(urlize(line, rel="noopener noreferrer"))  # noqa: S704 urlize escapes
