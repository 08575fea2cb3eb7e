"""What is Bedrock's own; the rest is in test_conformance.py."""

import pytest

from app.llm import errors, http
from app.llm.port import Ask, Message
from app.llm.settings import LLMSettings
from app.llm.steps import routing
from app.usage.prices import price_of
from tests.llm.behaviour import Behaviour
from tests.llm.dialects import bedrock
from tests.llm.wire_server import running

ASK = Ask(
    [Message("system", "Be kind."), Message("user", "Who?"), Message("user", "Really: who?")],
    feature="test",
    max_output_tokens=7,
)
BEDROCK = {
    "LLM_PROVIDER": "bedrock",
    "LLM_LOCATION": "eu-central-1",
    "LLM_REGION": "eu",
    "LLM_API_KEY": "",
    "LLM_BASE_URL": "",
    "LLM_MODEL": "eu.maker.m-v1:0",
    "AWS_BEARER_TOKEN_BEDROCK": "",
    "AWS_SESSION_TOKEN": "",
}


@pytest.fixture
async def server(configure):
    async with running(bedrock.Dialect()) as server:
        root = server.url.removesuffix("/v1")
        configure(**BEDROCK | bedrock.ACCESS | {"LLM_BASE_URL": root})
        yield server
    await http.close()


async def read(ask: Ask = ASK) -> None:
    async for _ in routing.provider().stream(ask):
        pass


@pytest.mark.parametrize("token", ["", "FQoGZXIvYXdzEBY"])
async def test_requests_are_signed(server, configure, token):
    configure(AWS_SESSION_TOKEN=token)
    await read()

    [request] = server.requests
    assert request.path == "/model/eu.maker.m-v1%3A0/converse-stream"
    assert bedrock.is_signed(request, bedrock.ACCESS["AWS_SECRET_ACCESS_KEY"], "eu-central-1")
    assert not bedrock.is_signed(request, "another", "eu-central-1")
    assert request.headers.get("x-amz-security-token", "") == token


async def test_the_request_says_only_what_was_asked(server):
    await routing.provider().complete(ASK)

    [request] = server.requests
    assert request.path.endswith("/converse")
    # Two questions in a row are refused there.
    assert request.body == {
        "system": [{"text": "Be kind."}],
        "messages": [{"role": "user", "content": [{"text": "Who?\n\nReally: who?"}]}],
        "inferenceConfig": {"maxTokens": 7},
    }


async def test_a_key_for_bedrock_needs_no_signature(server, configure):
    configure(LLM_API_KEY="bedrock-api-key")
    await read()

    assert server.requests[0].headers["authorization"] == "Bearer bedrock-api-key"


async def test_without_credentials_it_says_so(server, configure, tmp_path):
    configure(
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "none"),
        AWS_CONFIG_FILE=str(tmp_path / "none"),
    )
    with pytest.raises(errors.ModelMisconfigured, match="no credentials"):
        await read()

    assert server.requests == []


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("throttlingException", errors.ModelThrottled),
        ("modelStreamErrorException", errors.AnswerCut),
        ("validationException", errors.RequestRefused),
    ],
)
async def test_an_exception_as_the_first_frame_is_a_refusal(server, kind, problem):
    server.behaviour = Behaviour(error_after=0, error_kind=kind)
    with pytest.raises(problem):
        await read()


async def test_a_frame_that_claims_to_be_endless_is_malformed(server):
    server.wire.garbage = b"\xff" * 64
    server.behaviour = Behaviour(garbage_after=0)
    with pytest.raises(errors.AnswerMalformed):
        await read()


@pytest.mark.parametrize(
    ("region", "location", "model", "told"),
    [
        ("eu", "eu-central-1", "eu.anthropic.claude-sonnet-5-5", 0),
        ("eu", "eu-central-1", "anthropic.claude-sonnet-5-5", 0),
        ("eu", "eu-central-1", "", 0),
        ("us", "us-west-2", "", 0),
        ("anywhere", "ap-south-1", "global.anthropic.claude-sonnet-5-5", 0),
        ("eu", "us-east-1", "eu.anthropic.claude-sonnet-5-5", 1),
        # London and Zurich are not in the EU.
        ("eu", "eu-west-2", "anthropic.claude-sonnet-5-5", 1),
        ("eu", "eu-central-1", "global.anthropic.claude-sonnet-5-5", 1),
        ("us", "us-east-1", "global.anthropic.claude-sonnet-5-5", 1),
        ("us", "eu-west-1", "eu.anthropic.claude-sonnet-5-5", 2),
    ],
)
def test_data_stays_where_it_must(configure, region, location, model, told):
    given = {"LLM_REGION": region, "LLM_LOCATION": location, "LLM_MODEL": model}
    configure(**BEDROCK | given)

    assert len(LLMSettings.load().production_problems()) == told
    assert price_of("bedrock", routing.provider().model).known


def test_without_a_region_a_laptop_gets_the_stand_in(configure):
    configure(**BEDROCK | {"LLM_LOCATION": ""})

    assert LLMSettings.load().chosen == "stand_in"
    assert LLMSettings.load().production_problems() == [
        "LLM_LOCATION must be set for the model provider."
    ]
