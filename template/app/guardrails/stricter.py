"""What an organisation wants stricter than the installation. It never makes a guard weaker."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from app.guardrails.review_words import compiled
from app.guardrails.verdicts import Verdict

Action = Literal["allow", "mask", "review", "block"]
Choice = Literal["review", "block"]
RANK: Mapping[str, int] = {"allow": 0, "mask": 1, "review": 2, "block": 3}

USUAL: Mapping[str, Action] = {
    "injection": "allow",
    "links": "mask",
    "pasted_secrets": "mask",
    "personal_data": "mask",
    "personal_numbers": "mask",
    "profanity": "mask",
    "review_words": "review",
    "secrets": "mask",
}
"""Guards that can be made stricter, and what they do at least about what they find. Of the others,
each finding is refused already."""


@dataclass(frozen=True, slots=True)
class Stricter:
    version: int = 0
    """0: the organisation has set nothing."""
    actions: Mapping[str, str] = field(default_factory=dict)
    words: re.Pattern[str] | None = None
    phrases: tuple[str, ...] = ()
    words_action: Choice = "review"
    organization_id: UUID | None = None

    def action(self, guard: str, usual: str) -> str:
        """The stricter one of two."""
        wanted = self.actions.get(guard, "allow")
        return wanted if RANK[wanted] > RANK[usual] else usual

    def of(self, guard: str, verdict: Verdict) -> Verdict:
        """The same verdict, or a stricter one when the guard has noticed anything."""
        if guard not in self.actions or (verdict.action == "allow" and not verdict.score):
            return verdict
        wanted = self.action(guard, verdict.action)
        if wanted == verdict.action:
            return verdict
        return replace(verdict, action="block" if wanted == "block" else "review")


NOTHING = Stricter()


def stricter(
    organization_id: UUID,
    version: int,
    actions: Mapping[str, str],
    words: list[str],
    words_action: Choice,
) -> Stricter:
    return Stricter(
        version,
        {name: one for name, one in actions.items() if isinstance(one, str) and one in RANK},
        compiled(tuple(words)),
        tuple(words),
        words_action,
        organization_id,
    )
