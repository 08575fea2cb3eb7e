"""Each call of the assistant says with which version it was made."""

from sqlalchemy import select, text

from app.core import db
from app.prompts import registry
from app.prompts.files import files
from app.usage.models import UsageRecord
from tests.asking import browser, browser_of, model  # noqa: F401 fixtures


async def test_ledger_log_and_answer_name_prompt_and_version(browser, model):  # noqa: F811
    conversation = await browser.new()
    await browser.ask(conversation, "What is it?")
    known = registry.live("assistant.system")
    told = {"name": "assistant.system", "version": known.number}
    [_, answer] = await browser.messages(conversation)
    assert answer["metadata"]["prompt"] == told
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        row = await session.scalar(select(UsageRecord))
        event = await session.execute(
            text("SELECT detail FROM audit_events WHERE action = 'model.answered'")
        )
    assert (row.prompt, row.prompt_version) == ("assistant.system", known.number)
    assert event.scalar()["prompt"] == told
    sent = model.requests[-1].body["messages"][0]["content"]
    assert "helpful assistant" in sent
    assert "{{" not in sent


def test_the_project_s_files_are_all_in_the_registry(app):
    for file in files():
        assert set(registry.live(file.name).variables) <= set(file.variables)
        assert file.purpose
