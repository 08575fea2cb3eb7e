"""A feature that is switched off asks no model: refused before its question is even read."""

from typing import Any

from app.flags import switches

AFTER = "permission"


async def before(call: Any) -> None:
    await switches.check_person(call.ask.feature, call.person)
