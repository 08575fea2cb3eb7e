"""A prompt whose answers are data is evaluated as the app asks it: by the class they fill."""

from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from app.core import db
from app.core.errors import CannotStart
from app.evals import jobs, running
from app.evals.cases import Suite
from app.evals.judge import Judge
from app.evals.running import Subject
from app.llm import settling
from app.prompts import files, registry
from app.usage.models import UsageRecord
from app.users.operators import machine
from tests.asking import model as model
from tests.asking import through_the_assistant
from tests.llm.wire_server import Behaviour


class Order(BaseModel):
    of: str = Field(alias="article")
    pieces: int = Field(ge=1)


SUBJECT = Subject("test.subject", 1, "You read orders.", [], Order)
TITLE = "assistant.title"
RIGHT, WRONG = '{"article": "boots", "pieces": 2}', '{"article": "boots", "pieces": "many"}'
CASE = {"id": "boots", "input": "Two pairs of boots.", "expect": {"contains": ['"pieces":2']}}


def says(*texts):
    left = [Behaviour(words=(one,)) for one in texts]
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def result_of(operators, subject, **case):
    told = {"suite": "s1", "title": "S", "prompt": "test.subject", "floor": 1, "cases": [case]}
    person = machine(operators)
    report = await running.run(
        person, subject, [Suite.model_validate(told)], Judge(person), stand_in=False
    )
    [result] = report.results
    return result, report


async def booked(organization_id):
    """Of evaluations, by the ledger: what it cost, and how many calls."""
    await settling.drain()
    paid = select(func.coalesce(func.sum(UsageRecord.microdollars), 0), func.count())
    async with db.transaction(organization_id=organization_id) as session:
        found = await session.execute(paid.where(UsageRecord.feature == "evals"))
        return tuple(found.one())


async def test_what_comes_is_held_to_the_class_and_asked_for_once_more(operators, model):
    model.choose = says(WRONG, RIGHT)
    before, calls_before = await booked(operators)
    result, report = await result_of(operators, SUBJECT, **CASE)

    assert (result.state, result.answer) == ("passed", '{"article":"boots","pieces":2}')
    assert "pieces" in str(model.requests[0].body)  # the schema
    spent, calls = await booked(operators)
    assert (spent - before, calls - calls_before) == (report.microdollars, 2)
    assert report.microdollars > 0


async def test_what_never_fits_has_failed_and_is_no_fault_of_the_provider(operators, model):
    model.choose = says(WRONG)
    result, _ = await result_of(operators, SUBJECT, **CASE)
    assert (result.state, result.outcome) == ("failed", "not as asked")
    assert [one.name for one in result.checks if one.holds is False] == ["outcome"]

    refused = {"expect": {"outcome": "any"}}
    result, _ = await result_of(operators, SUBJECT, **CASE | refused)
    assert result.state == "failed"


async def test_without_a_class_it_is_a_text_as_before(operators, model):
    model.choose = says(WRONG)
    plain = replace(SUBJECT, shape=None)
    result, _ = await result_of(operators, plain, **CASE | {"expect": {"contains": "many"}})
    assert (result.state, result.answer) == ("passed", WRONG)
    assert "schema" not in str(model.requests[0].body)


# A team's assistant may have no titles; tests/assistant says that ours have this class.
@pytest.mark.skipif(files.shape(TITLE) is None, reason="this assistant asks for no titles")
@through_the_assistant
async def test_the_file_of_a_prompt_says_what_its_answers_are(client, operator, model):
    model.choose = says('{"title": "A trip to Kenya"}')
    wanted = {"prompt": TITLE, "version": registry.live(TITLE).number}
    started = (await client.post("/api/evaluations", json=wanted)).json()
    await jobs.run(UUID(started["id"]))
    assert model.requests
    assert all("additionalProperties" in str(one.body) for one in model.requests)


def test_each_prompt_that_names_a_class_names_one_that_is_there():
    named = {one.name: files.shape(one.name) for one in files.files() if one.shape}
    assert named
    assert None not in named.values()


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("app.orders.reading:Order", "is not there"),
        ("app.evals.running:Order", "is not there"),
        ("Order", "is not there"),
        ("app.evals.running:Purse", "is no pydantic model"),
    ],
)
def test_another_one_is_told_before_anything_is_asked(tmp_path, monkeypatch, shape, told):
    monkeypatch.setattr(files, "APP", tmp_path)
    (tmp_path / "orders" / "prompts").mkdir(parents=True)
    path = tmp_path / "orders" / "prompts" / "read.md"
    path.write_text(f"---\nshape: {shape}\n---\nRead it.", encoding="utf-8")
    with pytest.raises(CannotStart, match=f"orders.prompts.read.md: the shape {shape} {told}"):
        files.shape("orders.read")
