import pytest
from pydantic import ValidationError

from app.core.settings import answers
from app.llm.providers import load, openai
from app.llm.settings import LLMSettings
from app.llm.steps import routing

NOTHING = {
    "LLM_PROVIDER": "openai",
    "LLM_API_KEY": "",
    "OPENAI_API_KEY": "",
    "LLM_BASE_URL": "",
    "LLM_MODEL": "",
}


@pytest.fixture(autouse=True)
def bare(configure) -> None:
    """Whatever the machine has set, these tests do not see."""
    configure(**NOTHING)


def test_the_provider_that_was_answered_is_there():
    assert load(answers()["llm"]["provider"]).NEEDS


@pytest.mark.parametrize(
    ("given", "chosen", "lacking"),
    [
        ({}, "stand_in", ["LLM_API_KEY"]),
        ({"OPENAI_API_KEY": "k"}, "openai", []),
        ({"LLM_API_KEY": "k"}, "openai", []),
        (
            {"LLM_PROVIDER": "azure", "LLM_API_KEY": "k"},
            "stand_in",
            ["LLM_BASE_URL", "LLM_MODEL"],
        ),
        # A key for OpenAI is not sent to anyone else.
        (
            {"LLM_PROVIDER": "azure", "OPENAI_API_KEY": "k"},
            "stand_in",
            ["LLM_API_KEY", "LLM_BASE_URL", "LLM_MODEL"],
        ),
        ({"LLM_PROVIDER": "ollama", "LLM_MODEL": "m"}, "ollama", []),
        (
            {"LLM_PROVIDER": "vllm", "LLM_MODEL": "m", "LLM_BASE_URL": "http://gpu:8000/v1"},
            "vllm",
            [],
        ),
        ({"LLM_PROVIDER": "stand_in"}, "stand_in", []),
    ],
)
def test_until_its_settings_are_complete_the_stand_in_answers(configure, given, chosen, lacking):
    configure(**NOTHING | given)
    settings = LLMSettings.load()

    assert settings.chosen == chosen
    assert settings.lacking == lacking
    assert routing.provider().stand_in == (chosen == "stand_in")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "LLM_API_KEY must be set for the model provider."),
        ({"LLM_PROVIDER": "stand_in"}, "LLM_PROVIDER must name a model provider"),
        ({"LLM_PROVIDER": "vllm", "LLM_MODEL": "m"}, "LLM_BASE_URL must be set"),
    ],
)
def test_production_refuses_the_stand_in_and_what_is_missing(configure, given, problem):
    configure(**NOTHING | given)

    assert any(one.startswith(problem) for one in LLMSettings.load().production_problems())


def test_production_never_falls_back_to_the_stand_in(configure):
    configure(**NOTHING | {"APP_ENV": "production"})

    assert LLMSettings.load().chosen == "openai"


def test_with_a_key_production_has_nothing_to_say(configure):
    configure(**NOTHING | {"OPENAI_API_KEY": "k"})

    assert LLMSettings.load().production_problems() == []


@pytest.mark.parametrize(
    "given",
    [
        {"LLM_PROVIDER": "nobody"},
        {"LLM_PROVIDER": "../secrets"},
        {"LLM_BASE_URL": "file:///etc/passwd"},
        {"LLM_DEADLINE_SECONDS": "0"},
    ],
)
def test_a_setting_that_cannot_be_is_refused(configure, given):
    configure(**NOTHING | given)
    with pytest.raises(ValidationError):
        LLMSettings.load()


def test_a_key_is_not_printed(configure):
    configure(**NOTHING | {"LLM_API_KEY": "very-secret"})

    assert "very-secret" not in repr(LLMSettings.load())


@pytest.mark.parametrize("name", ["openai", "azure", "ollama", "vllm", "compatible"])
def test_every_provider_can_be_made(configure, name):
    given = {"LLM_API_KEY": "k", "LLM_BASE_URL": "https://example.test/v1/", "LLM_MODEL": "m"}
    configure(**NOTHING | given | {"LLM_PROVIDER": name})
    provider = routing.provider()

    assert (provider.name, provider.model, provider.stand_in) == (name, "m", False)


@pytest.mark.parametrize("region", ["eu", "us"])
def test_openai_is_asked_where_data_may_go(configure, region):
    configure(**NOTHING | {"LLM_API_KEY": "k", "LLM_REGION": region})
    assert openai.address(LLMSettings.load()) == f"https://{region}.api.openai.com/v1"

    configure(LLM_BASE_URL="https://example.test/v1")
    assert openai.address(LLMSettings.load()) == "https://example.test/v1"
    assert LLMSettings.load().production_problems() == []

    # An address that is known to be elsewhere, for questions or for passages.
    configure(LLM_BASE_URL=openai.ADDRESSES["anywhere"])
    [told] = LLMSettings.load().production_problems()
    assert told.startswith("LLM_BASE_URL: api.openai.com is not in")
    configure(LLM_BASE_URL="", LLM_EMBEDDING_BASE_URL=openai.ADDRESSES["anywhere"])
    [told] = LLMSettings.load().production_problems()
    assert told.startswith("LLM_EMBEDDING_BASE_URL: api.openai.com is not in")
