"""Ask every case through the gateway, as the app itself, and check what comes back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from pydantic import BaseModel

from app.access.person import Person
from app.core.errors import Problem, TooMany, Unavailable
from app.evals.cases import Case, Suite
from app.evals.judge import Judge
from app.evals.scorers import MISSHAPEN, Check, checks, verdict
from app.evals.settings import EvalsSettings
from app.llm import embeddings, gateway
from app.llm.errors import AnswerNotAsAsked, AnswerWithheld
from app.llm.port import Ask, Message, Passage, PromptUsed
from app.llm.shapes import answer_as
from app.prompts.text import rendered
from app.usage.prices import MILLION
from app.usage.service import Used

FEATURE = "evals"
ANSWER_CHARACTERS = 4000
# A prompt's variables while it is evaluated; others get their own name.
VALUES = {"today": "Wednesday, 05 November 2025"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The version that is evaluated."""

    prompt: str
    number: int
    text: str
    variables: Sequence[str]
    shape: type[BaseModel] | None = None
    """What the app asks for by `answer_as`; an answer is then the JSON of it."""

    @property
    def system(self) -> str:
        return self.system_with({})

    def system_with(self, given: Mapping[str, str]) -> str:
        known = {**VALUES, **given}
        values = {name: known.get(name, name) for name in self.variables}
        return rendered(self.text, self.variables, values)


@dataclass(frozen=True, slots=True)
class Result:
    suite: str
    case: Case
    state: str
    """passed, failed, skipped, error."""
    outcome: str = ""
    answer: str = ""
    checks: Sequence[Check] = ()
    milliseconds: int = 0


@dataclass
class Purse:
    """What a run has cost. Once it is empty, nothing more is asked."""

    most: int
    spent: int = 0

    def pay(self, used: Used) -> None:
        """Also for an answer that was withheld, cut or not shown: the provider bills it."""
        self.spent += used.microdollars

    @property
    def is_empty(self) -> bool:
        return self.spent > self.most


@dataclass
class Report:
    results: list[Result] = field(default_factory=list)
    microdollars: int = 0
    ended_early: str = ""


async def run(
    person: Person,
    subject: Subject,
    suites: Sequence[Suite],
    judge: Judge,
    *,
    stand_in: bool,
    model: str = "",
    told: Callable[[Result], None] = lambda result: None,
) -> Report:
    """All cases of these suites. Refusals are outcomes; a provider that fails is an error."""
    settings = EvalsSettings.load()
    purse = Purse(round(settings.dollars_per_run * MILLION))
    report, turn = Report(), asyncio.Semaphore(settings.at_once)

    async def one(suite: Suite, case: Case) -> None:
        async with turn:
            if report.ended_early:
                return
            if stand_in and case.needs == "model":
                result = Result(suite.suite, case, "skipped", "needs a model")
            else:
                result = await _result(person, subject, suite, case, judge, purse, model)
            report.results.append(result)
            told(result)
            if purse.is_empty:
                report.ended_early = "It cost more than a run may (EVALS_DOLLARS_PER_RUN)."

    asking = [asyncio.create_task(one(suite, case)) for suite in suites for case in suite.cases]
    try:
        await asyncio.gather(*asking)
    finally:  # Where one breaks, the others ask nothing more.
        for task in asking:
            task.cancel()
    report.results.sort(key=lambda one: (one.suite, one.case.id))
    report.microdollars = purse.spent + judge.spent
    return report


async def _result(
    person: Person,
    subject: Subject,
    suite: Suite,
    case: Case,
    judge: Judge,
    purse: Purse,
    model: str,
) -> Result:
    began = perf_counter()
    try:
        system = subject.system_with(suite.variables)
        outcome, text = await _answer(person, subject, system, case, purse, model)
        found = await checks(case, outcome, text, _embed(person, purse), judge.holds)
    except Problem as problem:
        kind = problem.type.removeprefix("/problems/")
        return Result(suite.suite, case, "error", kind, milliseconds=_since(began))
    shown = text[:ANSWER_CHARACTERS]
    return Result(suite.suite, case, verdict(found), outcome, shown, found, _since(began))


async def _answer(
    person: Person, subject: Subject, system: str, case: Case, purse: Purse, model: str
) -> tuple[str, str]:
    """Outcome and text. Raises the problems that say nothing about the prompt."""
    messages = [
        Message("system", system),
        *(Message(one.role, one.text) for one in case.history),
        Message("user", case.input),
    ]
    ask = Ask(
        messages=messages,
        feature=FEATURE,
        temperature=None,
        with_context=bool(case.context),
        passages=[Passage(one.text, one.title, "") for one in case.context],
        prompt=PromptUsed(subject.prompt, subject.number),
        model=model,
        read_by_people=False,
    )
    try:
        if subject.shape is None:
            text = (await gateway.complete(person, ask, booked=purse.pay)).text
        else:
            answer = await answer_as(person, ask, subject.shape, booked=purse.pay)
            text = answer.data.model_dump_json(by_alias=True)
    except AnswerWithheld:
        return "withheld", ""
    except AnswerNotAsAsked:
        return MISSHAPEN, ""
    except (Unavailable, TooMany):
        raise
    except Problem as problem:
        if problem.status in {403, 413, 422}:
            return "refused", ""
        raise
    return "answered", text


def _embed(person: Person, purse: Purse) -> Callable[[Sequence[str]], Awaitable[list[list[float]]]]:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return await embeddings.embed(
            texts,
            organization_id=person.organization_id,
            user_id=None,
            feature=FEATURE,
            booked=purse.pay,
        )

    return embed


def _since(began: float) -> int:
    return round((perf_counter() - began) * 1000)
