"""Icons stand inside the page, so that no browser's rules about outside files hide them."""

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup

SPRITE = Path(__file__).parent / "icons.svg"
SYMBOL = re.compile(r'<symbol id="([a-z-]+)">(.*?)</symbol>', re.DOTALL)


@cache
def icons() -> dict[str, Markup]:
    """Every icon by its name in icons.svg."""
    return {
        name: Markup(  # noqa: S704 our own file
            f'<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">{shapes}</svg>'
        )
        for name, shapes in SYMBOL.findall(SPRITE.read_text(encoding="utf-8"))
    }


def icon(name: str) -> Markup:
    """Decoration only: the words beside it, or an aria-label, carry the meaning."""
    return icons()[name]
