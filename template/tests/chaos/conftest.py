from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from uuid import UUID

import orjson
import pytest

from app.core import db
from app.limits import connections
from app.llm import settling
from tests.asking import Browser, browser, browser_of, live_browser, model
from tests.chaos.database_proxy import Proxy, between
from tests.chaos.invariants import Told, the_books_balance, the_turn_is_whole, what_is_kept
from tests.llm.wire_server import WireServer, running
from tests.tools.conftest import plays, tool

__all__ = ["browser", "browser_of", "live_browser", "model", "plays", "tool"]


@dataclass
class Asker:
    """Someone who asks over HTTP, and looks at what became of it."""

    browser: Browser

    async def tell(self, conversation: str, question: str = "Who are you?", key: str = "") -> Told:
        async with self.browser.asking(conversation, question, key or None) as reader:
            if reader.response.status_code != 200:
                return Told(problem=orjson.loads(await reader.response.aread()))
            return Told(await reader.whole())

    async def ask(self, question: str = "Who are you?") -> Told:
        """A turn of its own conversation, looked at from all sides."""
        conversation = await self.browser.new()
        told = await self.tell(conversation, question)
        await self.looks_whole(conversation, told)
        return told

    async def looks_whole(self, conversation: str, told: Told) -> None:
        someone = self.browser.someone
        whose = {"organization_id": someone.organization_id, "user_id": someone.user_id}
        place = UUID(conversation)
        the_turn_is_whole(told, (await what_is_kept(whose, [place]))[place])
        await the_books_balance(someone.organization_id)


@pytest.fixture
def asker(browser: Browser, model: WireServer, monkeypatch: pytest.MonkeyPatch) -> Asker:
    monkeypatch.setattr(settling, "SECONDS_BETWEEN_TRIES", 0.01)
    return Asker(browser)


@pytest.fixture
async def second(model: WireServer, configure: Callable[..., None]) -> AsyncIterator[WireServer]:
    """A provider that is asked when the first gives no answer."""
    async with running() as server:
        configure(
            LLM_FALLBACK_PROVIDER="vllm",
            LLM_FALLBACK_BASE_URL=server.url,
            LLM_FALLBACK_MODEL="spare",
        )
        yield server


@pytest.fixture
async def proxy(database, configure: Callable[..., None]) -> AsyncIterator[Proxy]:
    """The app reaches its database through it."""
    async with between(database.app, database.admin) as made:
        await forget_connections()
        configure(DATABASE_URL=made.url)
        yield made
        await forget_connections()


async def forget_connections() -> None:
    await db.close()
    await connections.close()
