"""Which cheaper models would pass the gate with the prompt that is live now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.core.errors import Conflict
from app.evals import service, work
from app.evals.models import EvalRun
from app.evals.settings import EvalsSettings
from app.jobs.queue import enqueue
from app.llm.port import Provider
from app.llm.settings import LLMSettings
from app.llm.steps import routing
from app.prompts import registry
from app.prompts import service as prompts
from app.prompts.statistics import Interval, wilson
from app.usage.prices import MILLION, Price, price_of

# What a call of the assistant is like: four thousand tokens in, five hundred out.
TYPICAL = (4000, 500)
CALLS = 1000


class NoCheaperModel(Conflict):
    def __init__(self) -> None:
        super().__init__("No cheaper model is known. Name some in EVALS_MODELS.")


@dataclass(frozen=True, slots=True)
class Line:
    """A model, what it costs, and how it did in its newest run with the live version."""

    model: str
    is_usual: bool
    price: Price
    run: EvalRun | None = None

    @property
    def microdollars(self) -> int:
        """Of a thousand typical calls."""
        return self.price.cost(*TYPICAL) * CALLS

    @property
    def counted(self) -> int:
        return self.passed + self._sum("failed")

    @property
    def passed(self) -> int:
        return self._sum("passed")

    @property
    def share(self) -> Interval | None:
        return wilson(self.passed, self.counted) if self.counted else None

    @property
    def would_do(self) -> bool:
        """It passed the gate that a release has to pass, compared with the usual model."""
        return self.run is not None and self.run.complete and self.run.passed

    def _sum(self, state: str) -> int:
        return sum(one[state] for one in self.run.suites.values()) if self.run else 0


def candidates() -> list[str]:
    """Models that are named in the settings and surely cheaper than the usual one."""
    settings, usual = LLMSettings.load(), routing.provider()
    if usual.stand_in:
        return []
    named = [
        *EvalsSettings.load().models,
        settings.smaller_model,
        *(name for names in settings.task_models.values() for name in names),
    ]
    most = _price(usual).cost(*TYPICAL)
    found = {name: _price(routing.of_model(name)) for name in named if name}
    return [
        name
        for name, price in found.items()
        if price.known and price.cost(*TYPICAL) < most and name != usual.model
    ]


async def lines(db: AsyncSession, name: str) -> list[Line]:
    """The usual model and the cheaper ones, the cheapest first."""
    number, usual = registry.live(name).number, routing.provider()
    since = now() - timedelta(days=EvalsSettings.load().gate_days)
    runs = await db.scalars(
        select(EvalRun)
        .where(EvalRun.prompt == name, EvalRun.prompt_version == number)
        .where(EvalRun.provider == usual.name)
        .where(EvalRun.state == "finished", EvalRun.finished_at > since)
        .order_by(EvalRun.id)
    )
    newest = {one.model: one for one in runs}
    found = [
        Line(model, model == usual.model, _price(routing.of_model(model)), newest.get(model))
        for model in dict.fromkeys([usual.model, *candidates()])
    ]
    return sorted(found, key=lambda one: (one.microdollars, one.model))


async def ask_for(db: AsyncSession, person: Person, name: str) -> None:
    """Let a job evaluate the cheaper models. Raises `NoCheaperModel`."""
    await prompts.prompt(db, name)
    if not candidates():
        raise NoCheaperModel
    await enqueue(db, "evals.models", name=name, lock=f"evals models {name}")
    await audit.record(db, "evaluation.models_started", person=person, detail={"prompt": name})


async def evaluate(name: str, told: Callable[[str], None] = lambda model: None) -> Sequence[Line]:
    """Run all suites with the live version on each of them, as long as the budget lasts.

    The usual model comes first, unless it has a run: others are compared with it.
    """
    left = round(EvalsSettings.load().dollars_per_report * MILLION)
    number, usual = registry.live(name).number, routing.provider()
    async with transaction(elevated=True) as db:
        has_run = await service.latest(db, name, number, usual) is not None
    for model in [*([] if has_run else [usual.model]), *candidates()]:
        if left <= 0:
            break
        told(model)
        left -= await _run(name, number, model)
    async with transaction(elevated=True) as db:
        return await lines(db, name)


async def _run(name: str, number: int, model: str) -> int:
    """What it cost."""
    async with transaction(elevated=True) as db:
        made = service.new_run(name, number)
        db.add(made)
    try:
        return (await work.evaluate(made.id, model=model)).microdollars
    except Exception as error:
        await work.failed(made.id, str(error)[:500])
        raise


def _price(provider: Provider) -> Price:
    return price_of(provider.price_list, provider.model)
