"""Answers as data: held to a schema, mended, asked for once more, or a problem that has a name."""

import time
from datetime import date
from typing import Literal
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel, Field

from app.llm.errors import AnswerNotAsAsked, AnswerWithheld
from app.llm.near_json import mended
from app.llm.port import Ask, Message
from app.llm.shapes import answer_as, shape_of
from tests.factories import make_user
from tests.llm.behaviour import Behaviour
from tests.llm.caller import KEY, SYSTEM, Caller
from tests.usage.conftest import person_of

RIGHT = {"name": "Ada", "score": 7, "mood": "good", "notes": ["a"], "next": None}


class Step(BaseModel):
    what: str = "nothing"


class Verdict(BaseModel):
    name: str = Field(min_length=1)
    score: int = Field(ge=0, le=10)
    mood: Literal["good", "bad"]
    notes: list[str] = []
    next: Step | None = None


@pytest.fixture
async def caller(app, side) -> Caller:
    return Caller(person_of(await make_user(password=False)))


def ask(question: str = "How is Ada?") -> Ask:
    return Ask([Message("system", SYSTEM), Message("user", question)], feature="test")


def answers(side, *texts: str, **more) -> None:
    left = [
        Behaviour(words=tuple(one[at : at + 9] for at in range(0, len(one), 9)), **more)
        for one in texts
    ]
    side.server.choose = lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_what_is_as_asked_is_data_after_one_call(caller, side):
    answers(side, orjson.dumps(RIGHT).decode())
    found = await answer_as(caller.person, ask(), Verdict)

    assert found.data == Verdict(**RIGHT)
    assert len(found.asks) == len(side.server.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        orjson.dumps(RIGHT | {"score": "many"}).decode(),
        orjson.dumps(RIGHT | {"score": 4711}).decode(),
        '{"name": "Ada", "sco',
        "Ada is well, thank you.",
        "[]",
    ],
)
async def test_what_is_not_is_asked_for_once_more(caller, side, wrong):
    answers(side, wrong, f"Here it is:\n```json\n{orjson.dumps(RIGHT).decode()}\n```")
    found = await answer_as(caller.person, ask(), Verdict)

    assert found.data.score == 7
    assert len(found.asks) == 2
    assert "This is not as asked." in side.server.requests[1].raw.decode()
    assert [one.state for one in await caller.entries()] == ["settled"] * 2
    assert await caller.reserved() == 0


async def test_twice_wrong_is_a_problem_and_both_are_paid(caller, side):
    answers(side, "No.")
    with pytest.raises(AnswerNotAsAsked):
        await answer_as(caller.person, ask(), Verdict)

    assert len(side.server.requests) == 2
    assert [one.state for one in await caller.entries()] == ["settled"] * 2
    assert await caller.reserved() == 0


async def test_what_the_limit_cut_is_never_taken_for_whole(caller, side):
    answers(side, orjson.dumps(RIGHT).decode(), finish="length")
    with pytest.raises(AnswerNotAsAsked):
        await answer_as(caller.person, ask(), Verdict)


async def test_guards_read_texts_without_their_escapes(caller, side):
    hidden = "".join(f"\\u{ord(one):04x}" for one in KEY)
    answers(side, orjson.dumps(RIGHT).decode().replace("Ada", hidden))
    try:
        found = await answer_as(caller.person, ask(), Verdict)
    except AnswerWithheld:
        return
    assert KEY not in found.data.name


async def test_personal_data_is_put_back_into_data(caller, side):
    answers(side, orjson.dumps(RIGHT | {"name": "[EMAIL_1]"}).decode())
    found = await answer_as(caller.person, ask("How is ada@example.org?"), Verdict)

    assert found.data.name == "ada@example.org"
    assert "ada@example.org" not in side.server.requests[0].raw.decode()


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('Sure!\n```\n{"a": 1}\n```\nBye.', {"a": 1}),
        ('The object is {"a": [1, 2,], }.', {"a": [1, 2]}),
        ('{"a": True, "b": None, "c": "None,}"}', {"a": True, "b": None, "c": "None,}"}),
        ('{"a": "two\nlines", // why\n "b": "http://x"}', {"a": "two\nlines", "b": "http://x"}),
    ],
)
def test_what_is_almost_json_is_mended(text, data):
    assert orjson.loads(mended(text)) == data


@pytest.mark.parametrize("text", ['{"a": 1, "b": ', '{"a": "cut', "nothing", "", "{}}{"])
def test_nothing_is_made_up(text):
    assert mended(text) == text


def test_every_provider_takes_the_schema():
    schema = shape_of(Verdict).schema

    assert schema["required"] == ["name", "score", "mood", "notes", "next"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Step"]["required"] == ["what"]
    assert "minimum" not in str(schema)
    assert "default" not in str(schema)


class Odd(BaseModel):
    """What classes may ask for."""

    kind: Literal["a", "b"]
    rank: int = Field(ge=1, le=3)
    below: float = Field(gt=-2, lt=0)
    even: int = Field(gt=0, multiple_of=2)
    short: str = Field(max_length=5)
    long: str = Field(min_length=80)
    day: date
    key: UUID
    steps: list[Step] = Field(min_length=2)
    pair: tuple[int, str]
    maybe: Step | None
    either: int | str
    named: dict[str, int]
    inner: Step


async def test_the_stand_in_answers_in_the_form_that_is_asked_for(app):
    """So that a feature made of data can be tried and tested without a model."""
    person = person_of(await make_user(password=False))
    found = await answer_as(person, ask(), Odd)

    assert len(found.asks) == 1
    assert (found.data.kind, found.data.rank, len(found.data.steps)) == ("a", 1, 2)
    assert found.data.maybe is None
    assert "stand-in" in found.data.long


@pytest.mark.parametrize(("begun", "piece"), [('{"a": ', '\\"'), ("```json", " ")])
def test_an_answer_that_is_no_json_holds_nobody_up(begun, piece):
    """Twenty times the text takes about twenty times as long; patterns that go back, 400 times."""

    def seconds(times: int) -> float:
        text = begun + piece * times + "x"
        before = time.thread_time()
        assert mended(text) == text
        return time.thread_time() - before

    short = min(seconds(3_000) for _ in range(5))
    assert min(seconds(60_000) for _ in range(2)) < 100 * short
