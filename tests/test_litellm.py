"""llm_gateway=litellm: a server beside the app that carries model calls, and only when chosen."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import Render

BAD = {"1.82.7", "1.82.8"}
PROVIDERS = {
    "openai": "openai/*",
    "anthropic": "anthropic/*",
    "bedrock": "bedrock/*",
    "vllm": "hosted_vllm/*",
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_it_carries_calls_of_the_chosen_provider_and_decides_nothing(
    render: Render, provider: str
) -> None:
    project = render(llm_gateway="litellm", llm_provider=provider)
    config = yaml.safe_load((project / "deploy/litellm/config.yaml").read_text("utf-8"))
    [model] = config["model_list"]
    assert model["litellm_params"]["model"] == PROVIDERS[provider]
    assert ("api_key" in model["litellm_params"]) == (provider != "bedrock")
    assert config["litellm_settings"]["telemetry"] is False
    assert config["litellm_settings"]["num_retries"] == 0
    assert config["router_settings"]["num_retries"] == 0
    assert "database_url" not in config["general_settings"]

    compose = yaml.safe_load((project / "compose.yml").read_text("utf-8"))
    server = compose["services"]["litellm"]
    assert set(server["networks"]) == {"gateway", "outside"}
    assert "ports" not in server
    assert "LITELLM_MASTER_KEY" in server["environment"]
    inside = [name for name, one in compose["services"].items() if "gateway" in one["networks"]]
    assert set(inside) == {"app", "worker", "litellm"}
    app = compose["services"]["app"]["environment"]
    assert app["LLM_BASE_URL"] == "http://litellm:4000/v1"
    assert '"litellm"' in app["UNENCRYPTED_HOSTS"]


def test_every_package_has_its_hashes_and_none_is_a_bad_one(render: Render) -> None:
    project = render(llm_gateway="litellm")
    text = (project / "deploy/litellm/requirements.txt").read_text("utf-8")
    packages = re.split(r"\n(?=\S)", text.strip())
    assert len(packages) > 50
    for package in packages:
        assert "==" in package.splitlines()[0], package[:60]
        assert "--hash=sha256:" in package, package[:60]
    [version] = re.findall(r"^litellm==(\S+)", text, re.MULTILINE)
    assert version not in BAD
    assert "--require-hashes" in (project / "deploy/litellm/Dockerfile").read_text("utf-8")


def test_without_it_nothing_of_it_is_there(render: Render) -> None:
    project: Path = render()
    compose = yaml.safe_load((project / "compose.yml").read_text("utf-8"))
    assert "litellm" not in compose["services"]
    assert "LLM_BASE_URL" not in compose["services"]["app"]["environment"]
    assert not (project / "deploy").exists()
    assert not (project / "docs/litellm.md").exists()
