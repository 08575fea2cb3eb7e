"""The sources of an answer are the passages that it cites."""

import re
from collections.abc import Sequence
from dataclasses import replace

from app.llm.call import Call, Events, Proceed
from app.llm.port import Delta, Passage, Source

CITED = re.compile(r"\[(\d{1,3})\]")
QUOTE_CHARACTERS = 300


def around(call: Call, proceed: Proceed) -> Events:
    return _cited_in(call, proceed) if call.ask.passages else proceed(call)


async def _cited_in(call: Call, proceed: Proceed) -> Events:
    said: list[str] = []
    async for event in proceed(call):
        if isinstance(event, Delta):
            said.append(event.text)
            yield event
        elif not event.sources:
            yield replace(event, sources=_cited("".join(said), call.ask.passages))
        else:
            yield event


def _cited(text: str, passages: Sequence[Passage]) -> tuple[Source, ...]:
    numbers = dict.fromkeys(int(found) for found in CITED.findall(text))
    return tuple(
        Source(one.path, one.title, one.text[:QUOTE_CHARACTERS], one.url)
        for number in numbers
        if 0 < number <= len(passages)
        for one in [passages[number - 1]]
    )
