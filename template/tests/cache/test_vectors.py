"""Vectors of short texts are asked for once, each organisation's by itself."""

from secrets import token_hex

import orjson
from sqlalchemy import delete

from app.cache import service
from app.cache.models import CachedVector
from app.core import db
from app.llm import embeddings, http
from app.llm.extractive.vectors import vectors
from app.users.models import User
from tests.cache.conftest import ask, kept
from tests.factories import make_user
from tests.llm.wire_server import Behaviour, running


class Vectors:
    """The wire of vectors: what is asked for, and the laptop's vectors for it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def aside(self, request) -> bytes:
        self.asked.append(request.body["input"])
        made = vectors(request.body["input"])
        data = [{"index": at, "embedding": one[:256]} for at, one in enumerate(made)]
        return orjson.dumps({"data": data, "usage": {"prompt_tokens": 7}})


async def test_a_text_is_asked_for_once_by_model_and_organisation(app, configure):
    someone, stranger = await make_user(password=False), await make_user(password=False)
    # Of random words one in a hundred has nothing among the numbers that are left of its vector.
    one, two = "How many moons has Jupiter, and who found four?", "Which receipts are handed in?"

    async def embed(texts, who=someone):
        whose = {"organization_id": who.organization_id, "user_id": who.user_id}
        return await embeddings.embed(texts, **whose, feature="test")

    wire = Vectors()
    async with running(wire) as server:
        configure(LLM_EMBEDDING_MODEL="small", LLM_EMBEDDING_BASE_URL=server.url)
        first = await embed([one])
        again = await embed([two, one, one])
        assert wire.asked == [[one], [two]]
        assert again[1] == again[2]
        # Kept in half precision, and of the length that the model made.
        assert len(again[1]) == 256
        size = sum(x * x for x in first[0]) ** 0.5
        near = sum(a * b for a, b in zip(first[0], again[1], strict=True))
        assert near > 0.999 * size * sum(x * x for x in again[1]) ** 0.5

        await embed([one], stranger)
        configure(LLM_EMBEDDING_MODEL="large")
        await embed([one])
        configure(CACHE_VECTORS="false")
        await embed([one])
        assert wire.asked[2:] == [[one], [one], [one]]
        await embed([f"{one} {number}" for number in range(5)])  # Passages, and no question.
        configure(CACHE_VECTORS="true", CACHE_VECTOR_HOURS="0.000001")
        async with db.transaction(elevated=True) as session:
            await service.evict(session)
            left = await session.scalars(
                delete(CachedVector)
                .where(CachedVector.organization_id == someone.organization_id)
                .returning(CachedVector.id)
            )
            assert left.all() == []
    await http.close()


async def test_what_someone_asked_goes_with_their_account(team, model):
    one, other, _ = team
    await ask(one, f"What is {token_hex(4)}?")
    await ask(other, f"What is {token_hex(4)}?")
    async with db.transaction(elevated=True) as session:
        await session.execute(delete(User).where(User.id == one.someone.user_id))
    assert [row.user_id for row in await kept(other.someone.organization_id)] == [
        other.someone.user_id
    ]


async def test_beside_tools_an_answer_that_used_none_is_kept_when_somebody_wants_that(
    team, model, configure
):
    configure(TOOLS_OFFERED="true", CACHE_BESIDE_TOOLS="true")
    one, other, admin = team
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    assert model.requests[0].body["tools"]
    again = await ask(other, question)
    assert again[-1][1]["marks"]
    await ask(admin, question)  # With other tools.
    assert len(model.requests) == 2

    # An answer that uses a tool is none to be given again, nor is what it comes to.
    uses = Behaviour(words=(), calls=(("own_usage", "{}"),))
    model.choose = lambda request: (
        Behaviour() if request.body["messages"][-1]["role"] == "tool" else uses
    )
    before = len(await kept(one.someone.organization_id))
    await ask(one, f"What have I used {token_hex(4)}?")
    assert len(await kept(one.someone.organization_id)) == before
