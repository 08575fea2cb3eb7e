"""What is kept is given for as long, to whom and as often as the settings say, and no further."""

from datetime import timedelta
from secrets import token_hex

import orjson
import pytest
from sqlalchemy import func, select, text, update

from app.cache import checking, noting, service
from app.cache.models import CachedAnswer, CachedVector
from app.core import db
from app.llm import embeddings, errors, gateway, http
from app.llm.extractive.vectors import vectors
from app.llm.port import Ask, Message, PromptUsed
from tests.asking import text_of
from tests.cache.conftest import ask, days, kept
from tests.llm.wire_server import WORDS, Behaviour, running
from tests.usage.conftest import person_of


class Vectors:
    """The wire of vectors: what is asked for, and the laptop's vectors for it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def aside(self, request) -> bytes:
        self.asked.append(request.body["input"])
        made = vectors(request.body["input"])
        data = [{"index": at, "embedding": one[:256]} for at, one in enumerate(made)]
        return orjson.dumps({"data": data, "usage": {"prompt_tokens": 7}})


async def age(organization_id, hours: float) -> None:
    """What is kept was written so long ago; a day later it is old."""
    async with db.transaction(elevated=True) as session:
        ago = timedelta(hours=hours)
        await session.execute(
            update(CachedAnswer)
            .where(CachedAnswer.organization_id == organization_id)
            .values(created_at=func.now() - ago, expires_at=func.now() - text("interval '1 hour'"))
        )


@pytest.mark.parametrize(("hours", "is_given"), [(95, True), (97, False)])
async def test_an_answer_that_is_too_old_is_not_given_although_nobody_has_deleted_it(
    team, model, configure, hours, is_given
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=0, CACHE_HOURS=24, CACHE_STALE_HOURS=72)
    one, other, _ = team
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    await age(one.someone.organization_id, hours)
    model.behaviour = Behaviour(status=503)
    if is_given:
        assert (await ask(other, question))[-1][1]["degraded"] == "earlier_answer"
    else:
        status, problem = await other.refused(await other.new(), question)
        assert (status, problem["degraded"]) == (503, "no_answer")


async def test_an_old_answer_is_for_whom_the_prompt_says_the_same_of_but_for_the_day(
    team, model, configure
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=0, LLM_PEOPLE_ANSWER="false")
    one, other, _ = team
    question = f"What is {token_hex(4)}?"

    async def tell(browser, day: str, team_name: str) -> str:
        system = Message("system", f"It is {day}. You help the team {team_name}.")
        used = PromptUsed("own", 1, {"today": day, "team": team_name})
        wanted = Ask([system, Message("user", question)], "assistant", reusable=True, prompt=used)
        answer = await gateway.complete(person_of(browser.someone), wanted)
        await noting.settled()
        return answer.text

    assert await tell(one, "Monday", "Red") == "".join(WORDS)
    await age(one.someone.organization_id, 30)
    model.behaviour = Behaviour(status=503)
    assert await tell(other, "Tuesday", "Red") == "".join(WORDS)
    with pytest.raises(errors.ModelDown):
        await tell(other, "Tuesday", "Blue")


async def test_an_answer_that_takes_the_place_of_an_old_one_is_found_by_likeness_too(
    team, model, configure
):
    one, other, _ = team
    question = "How do I submit an expense report for 30 euros?"
    await ask(one, question)
    await age(one.someone.organization_id, 30)
    configure(CACHE_ANSWERS="similar")
    model.behaviour = Behaviour(words=("the ", "new ", "one"))
    await ask(one, question)
    [entry] = await kept(one.someone.organization_id)
    assert (entry.text, entry.made_by) == ("the new one", embeddings.chosen())
    near = await ask(other, "How can I submit my expense report for 30 euros?")
    assert text_of(near) == "the new one"
    assert len(model.requests) == 2


async def test_of_vectors_too_an_organisation_keeps_so_many_the_oldest_go(team, configure):
    one, *_ = team
    whose = one.someone.organization_id
    async with running(Vectors()) as server:
        configure(LLM_EMBEDDING_MODEL="small", LLM_EMBEDDING_BASE_URL=server.url)
        for number in range(4):
            await embeddings.embed(
                [f"How many moons has planet number {number}?"],
                organization_id=whose,
                user_id=None,
                feature="test",
            )
    await http.close()
    query = select(CachedVector.id).where(CachedVector.organization_id == whose)
    async with db.transaction(organization_id=whose) as session:
        before = list(await session.scalars(query.order_by(CachedVector.created_at)))
    configure(CACHE_ENTRIES_PER_ORGANIZATION=3)
    async with db.transaction(elevated=True) as session:
        await service.evict(session)
    async with db.transaction(organization_id=whose) as session:
        left = list(await session.scalars(query.order_by(CachedVector.created_at)))
    assert (len(before), left) == (4, before[1:])


async def test_to_look_whether_an_answer_still_holds_keeps_nothing_of_it(
    team, model, configure, monkeypatch
):
    """The one who pays is another organisation."""
    one, other, _ = team
    whose = one.someone.organization_id
    monkeypatch.setattr("app.users.operators._known", whose)
    wire = Vectors()
    async with running(wire) as server:
        configure(
            CACHE_CHECKED_PERCENT=100,
            LLM_EMBEDDING_MODEL="small",
            LLM_EMBEDDING_BASE_URL=server.url,
        )
        question = f"What is {token_hex(4)}?"
        await ask(one, question)
        await ask(other, question)
        await checking.settled()
    await http.close()
    assert (await days(whose)).checked == 1
    assert wire.asked == [["".join(WORDS)]]
    async with db.transaction(organization_id=whose) as session:
        assert not list(await session.scalars(select(CachedVector)))
