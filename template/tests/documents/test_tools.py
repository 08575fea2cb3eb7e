"""The model looks into documents for someone, and finds what they may read."""

from app.tools import running
from app.tools.registry import Use
from tests.documents.conftest import TRAVEL
from tests.usage.conftest import person_of

WORDS = '{"words": "travel costs receipts"}'


async def test_it_finds_what_the_person_may_read_and_taints_the_answer(browser, people):
    await browser.upload(TRAVEL)
    own = await running.run(Use(person_of(browser.someone)), "search_documents", WORDS)
    assert own.state == "done"
    assert "within thirty days" in own.text
    assert own.taints, "who uploaded it may not have written it"
    for other in people.values():
        found = await running.run(Use(person_of(other.someone)), "search_documents", WORDS)
        assert "thirty days" not in found.text
