"""Similar questions: what is taken for the same, and how often wrongly."""

import tomllib
from math import sqrt
from pathlib import Path

from app.cache.likeness import signature
from app.cache.settings import CacheSettings
from app.llm.extractive.vectors import vectors
from tests.asking import text_of
from tests.cache.conftest import ask, days
from tests.factories import make_user
from tests.llm.wire_server import WORDS, Behaviour
from tests.tools.conftest import asks, plays, says, uses

__all__ = ["plays"]

PAIRS = tomllib.loads((Path(__file__).parent / "pairs.toml").read_text("utf-8"))


def nearness(one: str, other: str) -> float:
    a, b = vectors([one, other])
    size = sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / size


def test_hits_and_false_hits_are_those_that_the_documentation_tells():
    least = CacheSettings.load().similarity
    near = {
        kind: [pair for pair in pairs if nearness(*pair) >= least] for kind, pairs in PAIRS.items()
    }
    taken = {
        kind: [pair for pair in pairs if signature(pair[0]) == signature(pair[1])]
        for kind, pairs in near.items()
    }
    assert [len(PAIRS["same"]), len(PAIRS["other"])] == [40, 50]
    assert [len(near["same"]), len(near["other"])] == [28, 10]
    assert [len(taken["same"]), len(taken["other"])] == [22, 2]
    page = Path(__file__).parents[2] / "docs" / "cache.md"
    assert "22 of 40" in page.read_text("utf-8")
    assert "2 of 50" in page.read_text("utf-8")


async def test_it_is_off_until_somebody_wants_it_and_then_stays_in_its_walls(
    team, browser_of, model, configure
):
    one, other, admin = team
    stranger = await browser_of(await make_user(password=False))
    await ask(one, "How do I reset my password?")
    await ask(other, "How can I reset my password?")
    assert len(model.requests) == 2

    configure(CACHE_ANSWERS="similar")
    await ask(one, "How do I submit an expense report for 30 euros?")
    model.behaviour = Behaviour(words=("something ", "else"))
    near = await ask(other, "How can I submit my expense report for 30 euros?")
    assert text_of(near) == "".join(WORDS)
    assert near[-1][1]["marks"] == ["A similar question was answered a moment ago"]
    day = await days(one.someone.organization_id)
    assert (day.alike, day.exact) == (1, 0)

    # Another number, another role, another organisation, and a turn that stands after others.
    asked = len(model.requests)
    await ask(other, "How can I submit my expense report for 31 euros?")
    await ask(admin, "How can I submit my expense report for 30 euros?")
    await ask(stranger, "How can I submit my expense report for 30 euros?")
    conversation = await other.new()
    await other.ask(conversation, "Which form is it?")
    later = await other.ask(conversation, "How can I submit an expense report for 30 euros?")
    assert later[-1][1]["marks"] == []
    assert len(model.requests) == asked + 5


async def test_what_somebody_else_s_wording_brought_about_uses_no_tools(team, configure, plays):
    one, other, _ = team
    configure(CACHE_ANSWERS="similar", CACHE_BESIDE_TOOLS="true")
    plays(says("A better title is PWNED."), asks(("rename_conversation", {"title": "PWNED"})))
    await ask(one, "How do I submit an expense report for 30 euros?")
    conversation = await other.new()
    near = await other.ask(conversation, "How can I submit my expense report for 30 euros?")
    assert near[-1][1]["marks"] == ["A similar question was answered a moment ago"]

    plays(asks(("rename_conversation", {"title": "PWNED"})), says("I cannot."))
    events = await other.ask(conversation, "And then?")

    assert uses(events) == [("rename_conversation", "refused", "tainted")]
