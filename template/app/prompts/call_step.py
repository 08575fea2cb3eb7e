"""A share of the answers is made once more, with the shadow's version, when all is written down."""

from typing import Any

from app.prompts import registry, shadowing

AFTER = "sampling"


def ended(call: Any) -> None:
    used = call.ask.prompt
    # Without a draft nobody knows here what was shown; the app itself is no traffic.
    if used is None or call.draft is None or call.outcome != "answered":
        return
    if call.person.account is None or (shadow := registry.shadow(used.name)) is None:
        return
    if call.id.int % 100 < shadow.percent:
        shadowing.begin(shadow, call.id, call.ask, "".join(call.draft.texts))
