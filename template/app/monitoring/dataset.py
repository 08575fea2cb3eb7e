"""Corrections as examples to train on, in OpenAI's chat format.

They are the cases that people saved in review: without what says who someone is, read by whoever
saved them. What evaluations hold out is not trained on, and a fifth is kept for validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.evals.cases import suites
from app.evals.running import Subject
from app.guardrails.personal_data import personal_data
from app.guardrails.settings import GuardrailsSettings
from app.prompts import registry
from app.review.cases import RUBRIC
from app.review.models import ReviewCase

VALIDATION_EVERY = 5


@dataclass(frozen=True)
class Dataset:
    training: Sequence[dict[str, Any]]
    validation: Sequence[dict[str, Any]]
    held_out: int
    """Left out, because an evaluation holds them out."""
    personal: int
    """Left out, because they still hold what looks like personal data."""
    unusable: int
    """Left out, because they say only a part of the answer."""

    @property
    def examples(self) -> int:
        return len(self.training) + len(self.validation)

    @property
    def told(self) -> dict[str, int]:
        """For the audit log."""
        return {
            "training": len(self.training),
            "validation": len(self.validation),
            "held_out": self.held_out,
            "personal": self.personal,
            "unusable": self.unusable,
        }


async def of_prompt(db: AsyncSession, prompt: str) -> Dataset:
    """From the organisation of the transaction, and from no other."""
    cases = await db.scalars(
        select(ReviewCase).where(ReviewCase.prompt == prompt).order_by(ReviewCase.id)
    )
    live = registry.live(prompt)
    system = Subject(prompt, live.number, live.text, live.variables).system
    kept_back = {
        _folded(case.input)
        for suite in suites(prompt=prompt)
        for case in suite.cases
        if case.split == "held-out"
    }
    training: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    held_out = personal = unusable = 0
    countries = tuple(GuardrailsSettings.load().phone_countries)
    for case in cases:
        answer = _answer(case.expect)
        asked = "\n\n".join([*case.context, case.question])
        if _folded(case.question) in kept_back:
            held_out += 1
        elif not answer:
            unusable += 1
        elif personal_data(f"{asked}\n{answer}", countries):
            personal += 1
        else:
            example = {
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": answer},
                ]
            }
            goes = validation if case.id.int % VALIDATION_EVERY == 0 else training
            goes.append(example)
    return Dataset(training, validation, held_out, personal, unusable)


async def saved_since(db: AsyncSession, prompt: str, since: datetime) -> int:
    """Corrections that became cases."""
    found = await db.scalars(
        select(ReviewCase.id).where(ReviewCase.prompt == prompt, ReviewCase.created_at > since)
    )
    return len(found.all())


async def export(db: AsyncSession, person: Person, prompt: str) -> bytes:
    """The training examples as JSONL; that it was taken is recorded."""
    found = await of_prompt(db, prompt)
    detail = found.told | {"prompt": prompt}
    await audit.record(db, "monitoring.dataset_exported", person=person, detail=detail)
    return lines(found.training)


def lines(examples: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in examples)


def _answer(expect: dict[str, Any]) -> str:
    """The whole answer that a person wrote; nothing where the case asks for a part only."""
    if rubric := expect.get("rubric"):
        return str(rubric).removeprefix(RUBRIC) if str(rubric).startswith(RUBRIC) else ""
    if similar := expect.get("similar"):
        return str(similar["to"])
    return str(expect.get("equals") or "")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
