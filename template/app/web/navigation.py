"""The links beside every page. A module declares its own in pages.py:

NAVIGATION = [Link("Audit log", "/admin/audit", "audit.read", "Administration", "list")]
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from app.modules import parts

ACCOUNT = "Account"
"""Links of this section stand in the menu under the person's name."""
SWITCHER = "Organisations"
"""A link of this section stands on top and bears the name of the organisation one works in."""


class Viewer(Protocol):
    """Who looks at the page, as `app.access` describes them."""

    @property
    def display_name(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def organization_name(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def permissions(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Link:
    """Shown to people with the permission; an empty one means everyone signed in."""

    label: str
    path: str
    permission: str = ""
    section: str = ""
    icon: str = "chevron-right"
    order: int = 100
    """Lower comes first; a section stands where its first link does."""
    shown: Callable[[Viewer], bool] | None = None
    """Says for whom besides: what concerns the whole installation is no customer's link."""


@cache
def declared() -> tuple[Link, ...]:
    """The links of all modules, in order."""
    links = [link for part in parts("pages") for link in getattr(part, "NAVIGATION", ())]
    return tuple(sorted(links, key=lambda link: (link.order, link.label)))


def around(path: str, person: Viewer, links: Iterable[Link] | None = None) -> dict[str, Any]:
    """What layout.html needs: the links this person may follow, and where they are now."""
    found = [
        link
        for link in (declared() if links is None else links)
        if not link.permission or link.permission in person.permissions
        if link.shown is None or link.shown(person)
    ]
    sections: dict[str, list[Link]] = {}
    for link in found:
        sections.setdefault(link.section, []).append(link)
    here = current(found, path)
    account = sections.pop(ACCOUNT, [])
    return {
        "account_links": account,
        "account_tabs": [
            (link.label, link.path) for link in account if f"{link.path}/".startswith("/account/")
        ],
        "switcher": next(iter(sections.pop(SWITCHER, [])), None),
        "navigation": sections,
        "current_path": here.path if here else "",
        "current_section": here.section if here else "",
    }


def current(links: Iterable[Link], path: str) -> Link | None:
    """The link that this page belongs to: the longest that leads here."""
    above = [link for link in links if f"{path}/".startswith(f"{link.path.rstrip('/')}/")]
    return max(above, key=lambda link: len(link.path), default=None)
