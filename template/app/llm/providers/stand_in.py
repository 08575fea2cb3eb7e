"""Answers on a laptop without any key, from the project's own documents. It is no model.

It quotes the sentences that cover the words of the question, names their files, and says that it
does not know when none do. Asked for data, it makes some up. Production refuses it.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from itertools import takewhile
from pathlib import Path

import orjson

from app.core.settings import ROOT
from app.llm.access import Access
from app.llm.extractive.documents import files, of_passage, sentences
from app.llm.extractive.search import Hit, Index
from app.llm.fitting import fitting
from app.llm.port import (
    Ask,
    Completion,
    Delta,
    Finish,
    Message,
    Passage,
    Provider,
    Source,
    ToolCall,
    estimated_input_tokens,
)

NEEDS = ()
MODEL = "extractive-stand-in"
# About as fast as people see a model write.
WORDS_AT_ONCE = 3
SECONDS_BETWEEN = 0.01
COMMAND = re.compile(r"/(?P<name>[a-z][a-z0-9_]*)\s*(?P<arguments>\{.*\})?", re.DOTALL)
UNSAID = "I do not know. Nothing in your documents answers that."
UNKNOWN = (
    "I do not know. No sentence in this project's documents answers that.\n\n"
    "No model is connected yet: this stand-in only quotes `README.md` and `docs/`."
    " `docs/model-calls.md` says how to connect one."
)


def address(_: Access) -> str:
    return ""


def create(_: Access) -> Provider:
    return StandIn(ROOT)


class StandIn:
    name = "stand_in"
    model = MODEL
    stand_in = True
    price_list = "stand_in"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._index: Index | None = None
        self._read: dict[Path, int] = {}

    def count(self, messages: Sequence[Message]) -> int:
        return estimated_input_tokens(messages)

    async def complete(self, ask: Ask) -> Completion:
        if calls := _asked_for(ask):
            return Completion("", Finish("tool_calls", MODEL, calls=calls))
        text, sources = await self._answer(ask)
        return Completion(text, Finish("stop", MODEL, sources=sources))

    async def stream(self, ask: Ask) -> AsyncGenerator[Delta | Finish, None]:
        if calls := _asked_for(ask):
            yield Finish("tool_calls", MODEL, calls=calls)
            return
        text, sources = await self._answer(ask)
        words = text.split(" ")
        for start in range(0, len(words), WORDS_AT_ONCE):
            if start:
                await asyncio.sleep(SECONDS_BETWEEN)
            piece = " ".join(words[start : start + WORDS_AT_ONCE])
            yield Delta(piece if start + WORDS_AT_ONCE >= len(words) else piece + " ")
        yield Finish("stop", MODEL, sources=sources)

    async def _answer(self, ask: Ask) -> tuple[str, tuple[Source, ...]]:
        if ask.shape:
            return orjson.dumps(fitting(ask.shape.whole or ask.shape.schema)).decode(), ()
        results = list(takewhile(lambda one: one.role == "tool", reversed(ask.messages)))
        if results:
            told = (f"> {line}" for one in reversed(results) for line in one.content.splitlines())
            return "The tool says:\n\n" + "\n".join(told), ()
        question = next((one.content for one in reversed(ask.messages) if one.role == "user"), "")
        if ask.passages:
            return _from_passages(ask.passages, question)
        index = await self._current_index()
        hits = index.find(question)
        if not hits:
            return UNKNOWN, ()
        sources = tuple(_source(index, hit) for hit in hits)
        quotes = (f"> {one.quote}\n>\n> — `{one.path}`, {one.title}" for one in sources)
        return "This project's documents say:\n\n" + "\n\n".join(quotes), sources

    async def _current_index(self) -> Index:
        """The index, made anew when a document has changed."""
        found = {path: path.stat().st_mtime_ns for path in files(self._root)}
        if self._index is None or found != self._read:
            # In a thread: reading many documents would hold up everyone else.
            self._index, self._read = await asyncio.to_thread(_index, self._root), found
        return self._index


def _asked_for(ask: Ask) -> tuple[ToolCall, ...]:
    """`/name` or `/name {"argument": 1}`: tools can be tried, also those that are not offered."""
    last = ask.messages[-1] if ask.messages else None
    if not ask.tools or not ask.may_call or last is None or last.role != "user":
        return ()
    found = COMMAND.fullmatch(last.content.strip())
    return (ToolCall("1", found["name"], found["arguments"] or "{}"),) if found else ()


def _index(root: Path) -> Index:
    return Index(sentences(root))


def _from_passages(passages: Sequence[Passage], question: str) -> tuple[str, tuple[Source, ...]]:
    """The sentences of the passages that cover the question best, each with its number."""
    index = Index(
        sentence
        for number, one in enumerate(passages)
        for sentence in of_passage(one.text, str(number), one.title)
    )
    hits = index.find(question) or index.ranked(question)[:1]
    if not hits:
        return UNSAID, ()
    quotes, sources = [], []
    for hit in hits:
        number, quote = int(hit.sentence.path), index.quote(hit)
        one = passages[number]
        quotes.append(f"> {quote} [{number + 1}]")
        sources.append(Source(one.path, one.title, quote, one.url))
    return "Your documents say:\n\n" + "\n\n".join(quotes), tuple(sources)


def _source(index: Index, hit: Hit) -> Source:
    return Source(hit.sentence.path, hit.sentence.heading, index.quote(hit))
