"""What roles may do: the built-in ones as modules say it, custom ones as their rows say it."""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache, lru_cache

from app.modules import parts


class Role(StrEnum):
    """The built-in roles; the role of a membership is one of them or the id of a custom one."""

    MEMBER = "member"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@cache
def granted(role: str) -> frozenset[str]:
    """The permissions of a built-in role, gathered from every module's permissions.py."""
    return frozenset(
        name
        for part in parts("permissions")
        for name, roles in part.PERMISSIONS.items()
        if role in roles
    )


@cache
def known() -> frozenset[str]:
    """Every permission that there is."""
    return frozenset(name for part in parts("permissions") for name in part.PERMISSIONS)


@cache
def meanings() -> dict[str, str]:
    """What permissions are for, in a sentence, as far as modules say it."""
    said = (getattr(part, "MEANINGS", {}) for part in parts("permissions"))
    return {name: sentence for meant in said for name, sentence in meant.items()}


@cache
def always() -> frozenset[str]:
    """Permissions that no role can be without, or people could not even sign out."""
    return _named("ALWAYS")


@cache
def closed_to_keys() -> frozenset[str]:
    """Permissions that no key carries: with them it could outlive or widen itself."""
    return _named("CLOSED_TO_KEYS")


@cache
def reserved() -> frozenset[str]:
    """Permissions that, among the built-in roles, only administrators have."""
    return granted(Role.ADMIN) - granted(Role.REVIEWER) - granted(Role.MEMBER)


def custom(permissions: Iterable[str]) -> frozenset[str]:
    """What a custom role's row comes to. A module that was left out later takes its part away."""
    return _custom(tuple(permissions))


def held_by(role: str, permissions: Iterable[str] | None) -> frozenset[str]:
    """What a role opens; `permissions` are those of a custom one."""
    return granted(role) if permissions is None else custom(permissions)


@lru_cache(maxsize=1024)
def _custom(permissions: tuple[str, ...]) -> frozenset[str]:
    return known() & (always() | set(permissions))


def _named(attribute: str) -> frozenset[str]:
    return frozenset(name for part in parts("permissions") for name in getattr(part, attribute, ()))
