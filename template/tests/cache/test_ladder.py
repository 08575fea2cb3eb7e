"""When no model answers as wanted: an old answer, then a smaller model, each of them marked."""

from secrets import token_hex

import orjson
from sqlalchemy import func, select, text, update

from app.cache.models import CachedAnswer
from app.core import db
from app.modules import has
from app.usage.models import UsageRecord
from tests.asking import text_of
from tests.cache.conftest import ask, days, kept
from tests.llm.wire_server import WORDS, Behaviour


def only(model: str, behaviour: Behaviour):
    """A provider of which only this model is well."""
    return lambda request: behaviour if request.body["model"] == model else Behaviour(status=503)


async def test_an_old_answer_comes_before_a_smaller_model_and_both_say_what_they_are(
    team, model, configure
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=0, LLM_SMALLER_MODEL="tiny-1")
    one, other, _ = team
    whose = one.someone.organization_id
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            update(CachedAnswer)
            .where(CachedAnswer.organization_id == whose)
            .values(expires_at=func.now(), created_at=func.now() - text("interval '30 hours'"))
        )
    model.choose = only("tiny-1", Behaviour(words=("in ", "short")))
    conversation = await other.new()
    old = await other.ask(conversation, question)
    assert text_of(old) == "".join(WORDS)
    assert old[-1][1]["degraded"] == "earlier_answer"
    assert old[-1][1]["marks"] == ["No model answers at the moment; this is from 30 hours before"]
    assert (await other.messages(conversation))[1]["metadata"]["degraded"] == "earlier_answer"
    assert (await days(whose)).stale == 1

    conversation = await other.new()
    new = await other.ask(conversation, f"Who is {token_hex(4)}?")
    assert text_of(new) == "in short"
    done = new[-1][1]
    assert (done["model"], done["degraded"]) == ("tiny-1", "smaller_model")
    assert done["marks"] == [
        "A smaller model answered, because the usual one does not answer at the moment"
    ]
    if has("web"):
        page = await other.client.get(f"/chat/{conversation}", headers={"Accept": "text/html"})
        assert "A smaller model answered" in page.text
    # What is not what was wanted is not kept for others.
    assert len(await kept(whose)) == 1
    async with db.transaction(organization_id=whose) as session:
        records = list(await session.scalars(select(UsageRecord).order_by(UsageRecord.id)))
        held = await session.scalar(
            text("SELECT sum(reserved_tokens + reserved_microdollars) FROM usage_counters")
        )
    assert [(row.model, row.outcome) for row in records] == [
        ("small-1", "answered"),
        ("small-1", "reused"),
        ("tiny-1", "answered"),
    ]
    assert held == 0


async def test_when_nothing_is_left_it_is_said_and_so_is_what_was_tried(team, model, configure):
    configure(
        LLM_RETRIES=0,
        LLM_BREAKER_FAILURES=0,
        LLM_SMALLER_MODEL="tiny-1",
        LLM_PEOPLE_ANSWER="false",
    )
    one, *_ = team
    model.behaviour = Behaviour(status=503)
    status, problem = await one.refused(await one.new(), f"What is {token_hex(4)}?")

    assert (status, problem["degraded"]) == (503, "no_answer")
    assert [request.body["model"] for request in model.requests] == ["small-1", "tiny-1"]


async def test_the_cheapest_model_that_can_do_the_task_is_asked(team, model, configure):
    accepted = ["gpt-5.4-mini", "gpt-5.4-nano", "a-model-without-a-price"]
    configure(
        LLM_MODEL="gpt-5.5",
        LLM_TASK_MODELS=orjson.dumps({"assistant": accepted}).decode(),
        CACHE_ANSWERS="off",
    )
    one, *_ = team
    done = (await ask(one, "Who are you?"))[-1][1]
    assert (done["model"], done["degraded"], done["marks"]) == ("gpt-5.4-nano", None, [])

    configure(LLM_MODEL_LIMITS='{"gpt-5.4-nano": {"tools": false}}', TOOLS_OFFERED="true")
    assert (await ask(one, "Who are you?"))[-1][1]["model"] == "gpt-5.4-mini"
    configure(TOOLS_OFFERED="false")
    assert (await ask(one, "Who are you?"))[-1][1]["model"] == "gpt-5.4-nano"
    configure(LLM_MODEL_LIMITS='{"gpt-5.4-nano": {"context_tokens": 256}}')
    assert (await ask(one, "Who are you?"))[-1][1]["model"] == "gpt-5.4-mini"
    configure(LLM_TASK_MODELS="{}")
    assert (await ask(one, "Who are you?"))[-1][1]["model"] == "gpt-5.5"
