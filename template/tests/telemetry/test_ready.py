"""`/health/ready` looks at the second model, too: it is needed when the first is gone."""

from app.core import health
from tests.llm.conftest import caller as caller
from tests.llm.conftest import wire_server as wire_server


async def test_a_second_model_that_nobody_reaches_is_told_before_it_is_needed(
    client, caller, configure, monkeypatch
):
    monkeypatch.setattr(health, "_last", {})
    assert (await client.get("/health/ready")).json()["checks"]["llm"] == "ok"
    configure(
        LLM_FALLBACK_PROVIDER="vllm",
        LLM_FALLBACK_BASE_URL="http://127.0.0.1:9/v1",
        LLM_FALLBACK_MODEL="spare",
    )
    monkeypatch.setattr(health, "_last", {})
    told = await client.get("/health/ready")
    assert told.json()["checks"]["llm"] == "failed"
    assert told.status_code == 200, "everything but answers works"
    assert told.json()["checks"]["database"] == "ok"
