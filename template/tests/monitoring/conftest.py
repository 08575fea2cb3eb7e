"""A provider that answers people and, under another name, judges; and those who look at it."""

from collections.abc import Callable
from uuid import UUID

import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.core import db
from app.monitoring import judging
from app.monitoring.models import Calibration, Judgement, MonitoredCall
from app.prompts import registry
from tests.asking import browser as browser
from tests.asking import browser_of as browser_of
from tests.asking import model as model
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.llm.wire_server import Behaviour, Received
from tests.prompts.conftest import operator as operator
from tests.prompts.conftest import operators as operators

GOOD = {"correct": True, "relevant": True, "safe": True, "form": True}


def says(what: object) -> Behaviour:
    return Behaviour(words=(what if isinstance(what, str) else orjson.dumps(what).decode(),))


@pytest.fixture
def judged(model, configure) -> Callable[..., None]:
    """`judged({...})` lets a judge say that of every answer; of the known ones what people say."""

    def set_up(verdict: object = GOOD, known: Callable[[dict], dict] = lambda people: people):
        configure(
            MONITORING_JUDGE_PROVIDER="compatible",
            MONITORING_JUDGE_BASE_URL=model.url,
            MONITORING_JUDGE_MODEL="judge-1",
            MONITORING_SAMPLE_PERCENT=100,
            # The price of a model that nobody knows is the dearest.
            MONITORING_JUDGE_DOLLARS_PER_DAY=100,
            USAGE_ORGANIZATION_DOLLARS_PER_MONTH="",
        )
        people = {one.answer: one.people.model_dump() for one in judging.examples()}

        def choose(request: Received) -> Behaviour:
            if request.body["model"] != "judge-1":
                return model.behaviour
            said = str(request.body["messages"][1]["content"])
            answer = said.partition("<answer>\n")[2].rpartition("\n</answer>")[0]
            return says(known(people[answer]) if answer in people else verdict)

        model.choose = choose

    return set_up


@pytest.fixture
async def believed(app: FastAPI) -> None:
    """People and the judge of these tests have been found to agree."""
    async with db.transaction(elevated=True) as session:
        session.add(
            Calibration(
                provider="compatible",
                model="judge-1",
                prompt_version=registry.live(judging.PROMPT).number,
                examples=26,
                kappas=dict.fromkeys(judging.CRITERIA, 1.0),
            )
        )


async def calls_of(organization_id: UUID) -> list[MonitoredCall]:
    """What was noted in an organisation, as its own people see it."""
    async with db.transaction(organization_id=organization_id) as session:
        return list(await session.scalars(select(MonitoredCall).order_by(MonitoredCall.id)))


async def judgements_of(organization_id: UUID) -> list[Judgement]:
    """As app_auth, which also sees the words."""
    async with db.transaction(elevated=True) as session:
        query = select(Judgement).where(Judgement.organization_id == organization_id)
        return list(await session.scalars(query.order_by(Judgement.id)))
