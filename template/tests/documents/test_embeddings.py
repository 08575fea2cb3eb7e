"""Vectors from a provider on a real socket: asked for in turn, paid for, and done without."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import text

from app.core import db
from app.documents import jobs
from app.llm import embeddings, http
from app.llm.errors import AnswerMalformed, ModelMisconfigured
from app.llm.extractive.vectors import vectors
from tests.documents.conftest import TRAVEL


class Server:
    """Gives the stand-in's vectors, shortened, so that a test can tell near from far."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.change: Any = lambda answer: answer
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization"))
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        data = [
            {"index": at, "embedding": vector[: body.get("dimensions", 256)]}
            for at, vector in enumerate(vectors(body["input"]))
        ]
        told = {"data": data[::-1], "usage": {"prompt_tokens": 7 * len(data)}}
        return web.json_response(self.change(told))


@pytest.fixture
async def server(configure) -> AsyncIterator[Server]:
    made = Server()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/embeddings", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    configure(
        LLM_EMBEDDING_MODEL="small-vectors",
        LLM_EMBEDDING_BASE_URL=made.url,
        LLM_EMBEDDING_API_KEY="the-key",
    )
    yield made
    await http.close()
    await runner.cleanup()


async def records(browser) -> list[tuple[str, str, int, str]]:
    async with db.transaction(
        organization_id=browser.someone.organization_id, user_id=browser.someone.user_id
    ) as session:
        rows = await session.execute(
            text("SELECT feature, model, input_tokens, state FROM usage_records ORDER BY id")
        )
        return [tuple(row) for row in rows]


async def test_documents_and_questions_get_their_vectors_from_the_provider(browser, server):
    await browser.upload(TRAVEL, "rules.txt")
    await browser.upload("Lunch is served at noon in the canteen on the ground floor.", "lunch.txt")
    found = await browser.search("travelling costs receipts")

    assert found[0]["name"] == "rules.txt"
    assert [len(one["input"]) for one in server.asked] == [1, 1, 1]
    assert server.asked[0]["model"] == "small-vectors"
    assert set(server.keys) == {"Bearer the-key"}
    assert await records(browser) == [("documents", "small-vectors", 7, "settled")] * 3


async def test_what_no_model_gets_no_provider_of_vectors_gets(browser, server):
    key = f"-----BEGIN PRIVATE KEY-----\n{'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC' * 4}"
    await browser.upload(f"{TRAVEL} Ask bob@example.com about it. {key}", "rules.txt")
    found = await browser.search("travel costs of bob@example.com")

    assert "bob@example.com" in found[0]["text"]
    passage, question = (str(one["input"]) for one in server.asked)
    assert "Ask [EMAIL] about it. [SECRET]" in passage
    assert "MIIEvQ" not in passage
    assert "travel costs of [EMAIL]" in question


async def test_the_model_s_key_is_not_sent_to_another_address(browser, server, configure):
    configure(LLM_EMBEDDING_API_KEY="", LLM_API_KEY="the-model-s-own")
    await browser.upload(TRAVEL)
    assert server.keys == [None]


async def test_as_many_numbers_as_the_settings_say(browser, server, configure):
    configure(LLM_EMBEDDING_DIMENSIONS=64)
    await browser.upload(TRAVEL)
    assert server.asked[0]["dimensions"] == 64
    assert await browser.search("travel costs")


async def test_many_passages_go_in_several_requests(browser, server, configure):
    configure(DOCUMENTS_PASSAGE_CHARACTERS=200)
    await browser.upload("\n\n".join(f"{TRAVEL} {TRAVEL} Rule {n}." for n in range(90)))
    assert max(len(one["input"]) for one in server.asked) == embeddings.AT_ONCE
    assert len(server.asked) > 1


@pytest.mark.parametrize("status", [500, 401, 429])
async def test_without_the_provider_words_still_find_something(browser, server, status):
    await browser.upload(TRAVEL, "rules.txt")
    server.status = status
    [found] = await browser.search("travel costs")
    assert found["name"] == "rules.txt"
    assert (await records(browser))[-1][2:] == (0, "released")


async def test_a_document_waits_while_the_provider_is_away(browser, server):
    server.status = 503
    sent = await browser.send(TRAVEL)
    with pytest.raises(Exception, match=r"."):
        await jobs.index(sent.json()["id"])
    server.status = 200
    await jobs.index(sent.json()["id"])
    assert (await browser.get(sent.json()["id"]))["state"] == "ready"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {"data": told["data"][:-1]},
        lambda _: {"data": [{"index": 0, "embedding": ["x"]}]},
        lambda _: {"data": [{"index": 0}]},
        lambda _: {"data": None},
        lambda _: {},
    ],
)
async def test_vectors_that_are_none_are_refused(browser, server, change):
    server.change = change
    own = browser.someone
    with pytest.raises(AnswerMalformed):
        await embeddings.embed(
            ["a"], organization_id=own.organization_id, user_id=own.user_id, feature="documents"
        )


async def test_a_budget_of_nothing_stops_it_before_a_byte_is_sent(browser, server, configure):
    configure(USAGE_PERSON_TOKENS_PER_HOUR=0)
    sent = await browser.send(TRAVEL)
    with pytest.raises(Exception, match="tokens"):
        await jobs.index(sent.json()["id"])
    assert server.asked == []


async def test_what_others_made_is_done_anew_when_a_provider_is_chosen(
    browser, server, configure, monkeypatch
):
    configure(LLM_EMBEDDING_MODEL="", LLM_EMBEDDING_BASE_URL="")
    await browser.upload(TRAVEL, "rules.txt")
    assert server.asked == []

    configure(LLM_EMBEDDING_MODEL="small-vectors", LLM_EMBEDDING_BASE_URL=server.url)
    # Until the new index is there, questions get the vectors that the old one understands.
    assert len(await browser.search("travel costs")) == 1
    assert server.asked == []
    await jobs.rebuild(browser.someone.organization_id)
    assert len(server.asked) == 1
    assert len(await browser.search("travel costs")) == 1
    assert len(server.asked) == 2


async def test_vectors_of_a_provider_that_is_gone_are_not_asked_for(browser, server, configure):
    await browser.upload(TRAVEL, "rules.txt")
    server.asked.clear()
    configure(LLM_EMBEDDING_MODEL="", LLM_EMBEDDING_BASE_URL="")
    assert len(await browser.search("travel costs")) == 1
    await browser.upload("Lunch is served at noon in the canteen, every day.", "lunch.txt")
    assert {one["name"] for one in await browser.search("lunch noon")} == {"lunch.txt"}
    assert server.asked == []


async def test_a_model_that_gives_too_many_numbers_is_a_sentence(browser, server):
    server.change = lambda told: {"data": [{"index": 0, "embedding": [0.1] * 1536}]}
    sent = await browser.send(TRAVEL)
    with pytest.raises(embeddings.TooManyNumbers, match="LLM_EMBEDDING_DIMENSIONS"):
        await jobs.index(sent.json()["id"])


async def test_a_provider_whose_address_is_unknown_is_a_sentence(browser, configure):
    configure(LLM_PROVIDER="stand_in", LLM_EMBEDDING_MODEL="x", LLM_EMBEDDING_BASE_URL="")
    own = browser.someone
    with pytest.raises(ModelMisconfigured, match="LLM_EMBEDDING_BASE_URL"):
        await embeddings.embed(
            ["a"], organization_id=own.organization_id, user_id=own.user_id, feature="documents"
        )
