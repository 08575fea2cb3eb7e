"""Names of files as they are shown; none of them ever becomes a path."""

import re
import unicodedata
from urllib.parse import quote

LONGEST = 150
UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def clean(given: str) -> str:
    """The last part, on one line, without what turns letters around or cannot be seen."""
    last = re.split(r"[/\\]", given)[-1]
    seen = "".join(
        " " if one.isspace() else one
        for one in unicodedata.normalize("NFC", last)
        if one.isspace() or unicodedata.category(one) not in UNSEEN
    )
    name = " ".join(seen.split()).lstrip(". ")
    if len(name) > LONGEST:
        stem, dot, ending = name.rpartition(".")
        ending = f"{dot}{ending}" if dot and len(ending) <= 10 else ""
        name = f"{(stem or name)[: LONGEST - len(ending)]}{ending}"
    return name or "document"


def disposition(name: str) -> str:
    """`attachment`, with the name in both forms that browsers read."""
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
