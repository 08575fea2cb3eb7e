"""How steps are found and put in order."""

from types import ModuleType

import pytest

from app.llm import gateway, life
from app.llm.call import Call, Events, Proceed
from app.llm.life import StepMissing, arranged
from app.llm.port import Ask, Delta, Finish, Message


def step(name: str, **content) -> ModuleType:
    made = ModuleType(name)
    for key, value in content.items():
        setattr(made, key, value)
    return made


@pytest.fixture
def found(monkeypatch) -> dict[str, ModuleType]:
    """The steps that exist."""
    steps = {name: step(name) for name in ("first", "second", "third")}
    monkeypatch.setattr(life, "_found", lambda: steps)
    return steps


ORDER = ("first", "not yet", "second", "third")


def names(order: tuple[str, ...] = ORDER, required: frozenset[str] = frozenset()) -> list[str]:
    return [one.name for one in arranged(order, required).steps]


def test_steps_run_in_the_order_of_the_list(found):
    assert names() == ["first", "second", "third"]


def test_a_new_file_says_after_which_step_it_comes(found):
    found["fourth"] = step("fourth", AFTER="second")

    assert names() == ["first", "second", "fourth", "third"]


def test_a_neighbour_that_is_absent_still_marks_the_place(found):
    found["fourth"] = step("fourth", AFTER="not yet")

    assert names() == ["first", "fourth", "second", "third"]


def test_a_new_file_that_does_not_say_where_stops_the_start(found):
    found["fourth"] = step("fourth")
    with pytest.raises(StepMissing, match="AFTER"):
        names()


def test_a_required_step_that_is_gone_stops_the_start(found):
    with pytest.raises(StepMissing, match="guards"):
        names(required=frozenset({"first", "guards"}))


def test_what_protects_people_and_money_is_required():
    assert set(gateway.LIFE) >= gateway.REQUIRED
    ours = [one.name for one in gateway.life().steps]
    assert set(ours) >= gateway.REQUIRED
    # Nothing is asked before it is checked and paid, and nothing shown before it is screened.
    assert ours.index("input_guards") < ours.index("budget") < ours.index("metering")
    around = [one.name for one in gateway.life().steps if one.has("around")]
    assert around[0] == "metering"
    # Outside the guards stands only what puts back the person's own words, and what reads them.
    assert around[-4:] == ["output_guards", "structure", "restoring", "confidence"]


class Stub:
    """A provider for the order of steps alone; the wire has tests of its own."""

    name, model, stand_in = "stub", "stub", True

    def __init__(self) -> None:
        self.closed = False

    async def stream(self, ask: Ask) -> Events:
        try:
            yield Delta("a")
            yield Delta("b")
            yield Finish("stop", "stub")
        finally:
            self.closed = True

    def count(self, messages) -> int:
        return 1


def marking(letter: str):
    async def around(call: Call, proceed: Proceed) -> Events:
        async for event in proceed(call):
            yield Delta(f"{letter}({event.text})") if isinstance(event, Delta) else event

    return around


def new_call(provider: Stub) -> Call:
    call = Call(None, Ask([Message("user", "?")], feature="test"))
    call.provider = provider
    return call


async def test_a_later_step_stands_around_the_earlier_ones(found):
    found["first"].around, found["third"].around = marking("inner"), marking("outer")
    call = new_call(Stub())
    events = [event async for event in arranged(ORDER, frozenset()).proceed(call)]

    assert [one.text for one in events if isinstance(one, Delta)] == [
        "outer(inner(a))",
        "outer(inner(b))",
    ]


async def test_all_that_was_opened_is_closed_even_when_steps_do_not_care(found):
    found["first"].around, found["third"].around = marking("inner"), marking("outer")
    provider = Stub()
    call = new_call(provider)
    await anext(arranged(ORDER, frozenset()).proceed(call))
    assert not provider.closed
    await call.close()

    assert provider.closed


def test_no_step_of_ours_is_without_a_function():
    for one in gateway.life().steps:
        kinds = ("before", "around", "opening", "after", "ended")
        assert any(one.has(kind) for kind in kinds), one.name
