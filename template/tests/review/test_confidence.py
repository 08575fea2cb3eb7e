"""What shows of an answer without asking anyone, and where too little of it leads."""

from math import exp, log

import pytest

from app.llm.confidence import measured
from app.llm.port import Finish, Passage, Source
from tests.asking import text_of
from tests.review.conftest import recorded, says

PASSAGE = Passage("Open from 10.", "Hours", "page 1")
CITED = (Source("page 1", "Hours", "Open from 10."),)


@pytest.mark.parametrize(
    ("text", "finish", "passages", "found"),
    [
        ("It is open from 10.", Finish("stop", "m"), (), (100, [])),
        ("It is open [1].", Finish("stop", "m", sources=CITED), (PASSAGE,), (100, [])),
        ("It is open.", Finish("stop", "m"), (PASSAGE,), (50, ["uncited"])),
        ("I think it is 10.", Finish("stop", "m"), (), (60, ["hedged"])),
        ("Vermutlich um zehn.", Finish("stop", "m"), (), (60, ["hedged"])),
        ("I don’t know that.", Finish("stop", "m"), (), (30, ["refused"])),
        ("Das weiß ich nicht.", Finish("stop", "m"), (), (30, ["refused"])),
        ("Je ne sais pas.", Finish("stop", "m"), (), (30, ["refused"])),
        (" ", Finish("stop", "m"), (), (30, ["refused"])),
        ("It is", Finish("length", "m"), (), (60, ["cut"])),
        ("Perhaps", Finish("length", "m"), (PASSAGE,), (18, ["hedged", "uncited", "cut"])),
        (
            "It is 10.",
            Finish("stop", "m", mean_logprob=log(0.8)),
            (),
            (80, ["token probability"]),
        ),
    ],
)
def test_what_the_number_is_made_of(text, finish, passages, found):
    assert measured(text, finish, passages) == found


async def test_the_provider_is_asked_for_probabilities_where_that_is_set(office, model, configure):
    configure(LLM_LOGPROBS="true", REVIEW_SAMPLE='{"assistant": 1}')
    model.behaviour = says("Ten ", "moons.", logprob=-0.3)
    conversation, _ = await office.answer()
    assert model.requests[-1].body["logprobs"] is True
    [one] = await office.queue()
    assert (one["confidence"], one["signals"]) == (round(100 * exp(-0.3)), ["token probability"])
    told = (await office.asker.messages(conversation))[-1]["metadata"]["confidence"]
    assert told == {"score": 74, "signals": ["token probability"]}
    configure(LLM_LOGPROBS="false", REVIEW_SAMPLE="{}")
    await office.answer()
    assert "logprobs" not in model.requests[-1].body


async def test_too_little_confidence_brings_a_person_who_says_what_is_right(
    office, model, configure
):
    configure(REVIEW_CONFIDENCE_BELOW=50)
    model.behaviour = says("I don't know ", "how old it is.")
    conversation = await office.asker.new()
    events = await office.asker.ask(conversation, "How old is the moon?")
    # Whoever asked reads the answer at once, and that a person will look at it.
    assert text_of(events) == "I don't know how old it is."
    assert events[-1][1]["review"] == {"state": "waiting", "reason": "low_confidence"}
    text, state, review = await office.told(conversation)
    assert (text, state) == ("I don't know how old it is.", "complete")
    assert review == {"state": "waiting", "reason": "low_confidence"}
    [one] = await office.queue(reason="low_confidence")
    assert (one["confidence"], one["signals"]) == (30, ["refused"])
    [queued] = await recorded(office.reviewer, "review.queued")
    assert queued.detail == {"feature": "assistant", "reason": "low_confidence"}
    await office.resolved("corrected", correction="4.5 billion years.")
    text, _, review = await office.told(conversation)
    assert (text, review) == ("4.5 billion years.", {"state": "corrected", "note": ""})
    # One at the threshold or above it stays where it is.
    model.behaviour = says("Perhaps ", "ten.")
    await office.answer()
    assert await office.queue() == []
