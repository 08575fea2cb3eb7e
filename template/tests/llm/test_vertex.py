"""What is Vertex AI's own; the rest is in test_conformance.py."""

import pytest

from app.llm import errors, http
from app.llm.port import Ask, Message
from app.llm.settings import LLMSettings
from app.llm.steps import routing
from app.usage.prices import price_of
from tests.llm.dialects import gemini
from tests.llm.wire_server import running

ASK = Ask([Message("user", "Who are you?")], feature="test")
VERTEX = {
    "LLM_PROVIDER": "vertex",
    "LLM_PROJECT": "shop",
    "LLM_API_KEY": "",
    "LLM_BASE_URL": "",
    "LLM_MODEL": "",
    "LLM_LOCATION": "",
}


@pytest.fixture
async def server(configure, tmp_path):
    async with running(gemini.Dialect()) as server:
        account = gemini.account(tmp_path, server.url.removesuffix("/v1"))
        configure(**VERTEX | account | {"LLM_BASE_URL": server.url, "LLM_REGION": "eu"})
        yield server
    await http.close()


async def test_a_token_of_the_service_account_opens_the_project(server):
    await routing.provider().complete(ASK)

    [request] = server.requests
    assert request.headers["authorization"] == f"Bearer {gemini.TOKEN}"
    assert request.path == (
        "/v1/projects/shop/locations/eu/publishers/google/models/gemini-3.8-flash:generateContent"
    )


async def test_the_token_is_kept_until_it_runs_out(server, monkeypatch):
    tokens = []
    aside = server.wire.aside

    def counted(request):
        answer = aside(request)
        tokens.extend([1] if answer else [])
        return answer

    monkeypatch.setattr(server.wire, "aside", counted)
    for _ in range(3):
        await routing.provider().complete(ASK)

    assert len(tokens) == 1


async def test_without_credentials_it_says_so(server, configure, monkeypatch, tmp_path):
    configure(GOOGLE_APPLICATION_CREDENTIALS="", CLOUDSDK_CONFIG=str(tmp_path / "none"))
    configure(NO_GCE_CHECK="true")
    with pytest.raises(errors.ModelMisconfigured, match="no credentials"):
        await routing.provider().complete(ASK)

    assert server.requests == []


@pytest.mark.parametrize(
    ("region", "location", "address"),
    [
        ("anywhere", "", "https://aiplatform.googleapis.com/v1/projects/shop/locations/global/"),
        ("eu", "", "https://aiplatform.eu.rep.googleapis.com/v1/projects/shop/locations/eu/"),
        ("us", "", "https://aiplatform.us.rep.googleapis.com/v1/projects/shop/locations/us/"),
        (
            "eu",
            "europe-west4",
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/shop/locations/europe-west4/",
        ),
    ],
)
def test_the_address_follows_from_where_data_may_go(configure, region, location, address):
    configure(**VERTEX | {"LLM_REGION": region, "LLM_LOCATION": location})

    assert routing.provider().address.startswith(address)
    assert LLMSettings.load().production_problems() == []
    assert price_of("vertex", routing.provider().model).known


@pytest.mark.parametrize(
    ("region", "location"),
    [
        ("eu", "us-central1"),
        ("eu", "global"),
        ("eu", "us"),
        # London is not in the EU.
        ("eu", "europe-west2"),
        ("us", "europe-west4"),
        ("us", "global"),
    ],
)
def test_production_does_not_start_where_data_must_not_go(configure, region, location):
    configure(**VERTEX | {"LLM_REGION": region, "LLM_LOCATION": location})

    assert any("where data must stay" in one for one in LLMSettings.load().production_problems())


def test_without_a_project_a_laptop_gets_the_stand_in(configure):
    configure(**VERTEX | {"LLM_PROJECT": ""})

    assert LLMSettings.load().chosen == "stand_in"


def test_a_location_cannot_lead_to_another_host(configure):
    configure(**VERTEX | {"LLM_LOCATION": "evil.example/"})
    with pytest.raises(ValueError, match="plain names"):
        LLMSettings.load()
