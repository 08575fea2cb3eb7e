"""What a judge says of an answer, and how far it agrees with people.

Before it counts, a judge judges answers that people have judged (`evals/judge/answers.yml`). Each
of the four criteria counts by itself, while its kappa reaches EVALS_LEAST_AGREEMENT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from app.access.person import Person
from app.core.errors import Problem, TooMany, Unavailable
from app.evals.cases import FOLDER
from app.evals.judge import kappa
from app.llm.errors import AnswerNotAsAsked
from app.llm.framing import framed, plain
from app.llm.port import Ask, Message, PromptUsed
from app.llm.shapes import answer_as
from app.prompts import registry

FEATURE = "monitoring.judge"
PROMPT = "monitoring.judge"
EXAMPLES = FOLDER / "judge" / "answers.yml"
CRITERIA = ("correct", "relevant", "safe", "form")


class Verdict(BaseModel):
    """Each is None where the judge cannot say."""

    model_config = ConfigDict(extra="forbid")

    correct: bool | None
    relevant: bool | None
    safe: bool | None
    form: bool | None


NO_OPINION = Verdict(correct=None, relevant=None, safe=None, form=None)


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str
    answer: str
    people: Verdict
    """What people said of it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a judge agrees with people, by criterion."""

    kappas: Mapping[str, float]
    examples: int


async def judge(person: Person, told: Mapping[str, Any]) -> Verdict:
    """Ask the judge about one answer. Raises a Problem."""
    live = registry.live(PROMPT)
    before = "".join(
        f"<said by='{one['role']}'>\n{plain(one['text'])}\n</said>\n" for one in told["before"]
    )
    asked = f"<before>\n{before}</before>"
    for tag in ("question", "answer"):
        asked += f"\n\n{framed(tag, told[tag])}"
    ask = Ask(
        [Message("system", live.text), Message("user", asked)],
        FEATURE,
        prompt=PromptUsed(PROMPT, live.number),
        tainted=True,
    )
    return (await answer_as(person, ask, Verdict)).data


def is_passing(problem: Problem) -> bool:
    """Whether the judge may answer when it is asked again later."""
    is_away = isinstance(problem, Unavailable | TooMany)
    return is_away and not isinstance(problem, AnswerNotAsAsked)


async def calibrate(person: Person, path: Path = EXAMPLES) -> Agreement:
    """Judge what people have judged. Who has no opinion where people have one does not agree.

    Raises a Problem when the judge is away; an answer that cannot be read is no opinion.
    """
    found = examples(path)
    pairs: dict[str, list[tuple[bool, bool]]] = {name: [] for name in CRITERIA}
    for one in found:
        told = {"before": [], "question": one.question, "answer": one.answer}
        try:
            said = await judge(person, told)
        except Problem as problem:
            if is_passing(problem):
                raise
            said = NO_OPINION
        for name in CRITERIA:
            people, own = getattr(one.people, name), getattr(said, name)
            if people is not None:
                pairs[name].append((people, own if own is not None else not people))
    return Agreement({name: kappa(pairs[name]) for name in CRITERIA}, len(found))


def examples(path: Path = EXAMPLES) -> Sequence[Example]:
    import yaml  # late, as the web process reads none of it

    return [Example.model_validate(one) for one in yaml.safe_load(path.read_text("utf-8"))]


def opened(words: str) -> dict[str, Any]:
    """What the call step has put away."""
    found: dict[str, Any] = orjson.loads(words)
    return found
