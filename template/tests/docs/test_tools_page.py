"""What docs/tools.md shows works as it stands there."""

import re
from pathlib import Path
from types import ModuleType

import orjson

from app.tools import running
from app.tools.registry import Use
from tests.asking import browser, browser_of, model
from tests.llm.behaviour import Behaviour
from tests.tools.conftest import asks, offered, plays, says, told, tool, uses
from tests.usage.conftest import person_of

__all__ = ["browser", "browser_of", "model", "plays", "tool"]

PAGE = Path(__file__).parent.parent.parent / "docs" / "tools.md"
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M)


def made_of(code: str) -> ModuleType:
    module = ModuleType("shown")
    exec(code, vars(module))
    return module


async def test_the_tool_of_the_page_is_used(browser, model, plays, tool):
    made_of(CODE[0])
    plays(asks(("recent_conversations", {"count": 1})), says("These."))
    conversation = await browser.new()
    events = await browser.ask(conversation, "Which ones have I?")

    assert uses(events) == [("recent_conversations", "done", "")]
    assert "recent_conversations" in offered(model)
    assert orjson.loads(told(model)[0]) == [""]
    too_many = Use(person_of(browser.someone))
    outcome = await running.run(too_many, "recent_conversations", '{"count": 21}')
    assert outcome.state == "invalid"


async def test_the_answer_of_the_page_is_data(browser, model):
    shown = made_of(CODE[1])
    model.behaviour = Behaviour(words=('{"friendly": true, ', '"reason": "It thanks."}'))
    found = await shown.mood_of(person_of(browser.someone), "Thank you!")

    assert (found.friendly, found.reason) == (True, "It thanks.")
