"""Answers that came from documents are given again to who may read the same, and to nobody else."""

from app.cache import noting
from tests.asking import text_of, through_the_assistant
from tests.documents.conftest import TRAVEL
from tests.documents.test_answers import ask, model, sources
from tests.documents.test_who_reads import QUESTION, SECRET

pytestmark = through_the_assistant

__all__ = ["model"]


async def test_it_follows_who_may_read_and_goes_with_the_document(people, model, configure):
    configure(CACHE_ANSWERS="exact")
    rita, bob, ada = people["rita"], people["bob"], people["ada"]
    shared = await rita.upload(TRAVEL, "rules.txt", audience="organization")
    await rita.upload(SECRET)
    model.behaviour.words = ("Lisbon ", "[1].")
    question = "When are travel costs paid back?"
    await ask(ada, question)
    await noting.settled()
    again = await ask(bob, question)
    assert len(model.requests) == 1
    assert sources(again)[0]["title"] == "rules.txt"

    await ask(rita, QUESTION)
    await noting.settled()
    model.behaviour.words = ("I ", "do ", "not know.")
    assert text_of(await ask(bob, QUESTION)) == "I do not know."

    await rita.client.delete(f"/api/documents/{shared}")
    assert text_of(await ask(ada, question)) == "I do not know."
