"""Cards that other modules put on a page.

A module has a file with `ORDER: int` and `async def card(...)`, which gives the name of a template
and its values, found there as `card`, or None. The file names the page:

account_card.py   card(person)         /account/security: what belongs to an account
confirm_card.py   card(person, next)   /confirm: another way to prove it again
sign_in_card.py   card(next)           /sign-in: another way to sign in
member_card.py    card(db, user_id)    /admin/users/...: what administrators see of a member

`next` is where someone wanted to go, or "".
"""

from typing import Any

from app.modules import parts

Card = tuple[str, dict[str, Any]]


async def cards(file: str, *values: Any) -> list[Card]:
    """What every module has for a page, in order."""
    found = sorted(parts(file), key=lambda part: part.ORDER)
    return [card for part in found if (card := await part.card(*values)) is not None]
