"""A model that decides whether an answer meets a rubric, and whether it can be believed.

Before a run it judges answers that people have judged. Only while it agrees with them beyond chance
(Cohen's kappa) does what it says count; otherwise such cases are skipped and said to be.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.access.person import Person
from app.core.errors import Problem
from app.core.logging import log
from app.evals.cases import FOLDER, Case
from app.evals.settings import EvalsSettings
from app.llm import gateway
from app.llm.framing import framed
from app.llm.port import Ask, Message, PromptUsed
from app.prompts import registry
from app.usage.prices import MILLION
from app.usage.service import Used

FEATURE = "evals.judge"
PROMPT = "evals.judge"
EXAMPLES = FOLDER / "judge" / "examples.yml"
WORD = re.compile(r"\b(PASS|FAIL)\b")


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str
    answer: str
    rubric: str
    people: Literal["pass", "fail"]
    """What people said of it."""


@dataclass
class Judge:
    person: Person
    spent: int = 0
    kappa: float | None = None
    examples: int = 0
    counts: bool = False
    version: int | None = None

    async def holds(self, case: Case, answer: str) -> bool | None:
        """Whether the answer meets the case's rubric; None when it cannot be said."""
        if not self.counts or case.expect.rubric is None:
            return None
        return await self._verdict(case.input, answer, case.expect.rubric)

    async def calibrate(self, path: Path = EXAMPLES) -> None:
        """Judge what people have judged, and find out whether to be believed."""
        found = examples(path)
        pairs = []
        for one in found:
            said = await self._verdict(one.question, one.answer, one.rubric)
            if said is not None:
                pairs.append((one.people == "pass", said))
        self.examples = len(pairs)
        self.kappa = kappa(pairs)
        least = EvalsSettings.load().least_agreement
        # Who has no opinion on some of them has not been found to agree.
        self.counts = len(pairs) == len(found) and self.kappa >= least

    async def _verdict(self, question: str, answer: str, rubric: str) -> bool | None:
        if self.spent > EvalsSettings.load().judge_dollars_per_run * MILLION:
            return None
        live = registry.live(PROMPT)
        self.version = live.number
        told = {"question": question, "answer": answer, "rubric": rubric}
        asked = "\n\n".join(framed(tag, text) for tag, text in told.items())
        messages = [Message("system", live.text), Message("user", asked)]
        ask = Ask(messages, FEATURE, prompt=PromptUsed(PROMPT, live.number), read_by_people=False)
        try:
            said = await gateway.complete(self.person, ask, booked=self._pay)
        except Problem as problem:
            log.warning("evals.judge_failed", problem=problem.type)
            return None
        words = WORD.findall(said.text)
        return words[-1] == "PASS" if words else None

    def _pay(self, used: Used) -> None:
        self.spent += used.microdollars

    def told(self) -> dict[str, object]:
        """For the run's row."""
        return {
            "version": self.version,
            "kappa": None if self.kappa is None else round(self.kappa, 3),
            "examples": self.examples,
            "counts": self.counts,
        }


def examples(path: Path = EXAMPLES) -> list[Example]:
    import yaml  # late, as the web process reads none of it

    return [Example.model_validate(one) for one in yaml.safe_load(path.read_text("utf-8"))]


def kappa(pairs: list[tuple[bool, bool]]) -> float:
    """Agreement of two judges beyond chance: 1 is all; 0 is chance, or nothing but one verdict."""
    if not pairs:
        return 0.0
    count = len(pairs)
    agree = sum(a == b for a, b in pairs) / count
    yes_a, yes_b = sum(a for a, _ in pairs) / count, sum(b for _, b in pairs) / count
    chance = yes_a * yes_b + (1 - yes_a) * (1 - yes_b)
    return 0.0 if chance == 1 else (agree - chance) / (1 - chance)
