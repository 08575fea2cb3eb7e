"""A project holds the files of the providers that were chosen, and no others."""

import pytest
from conftest import Render


@pytest.mark.parametrize("fallback", ["none", "vertex", "bedrock"])
def test_only_chosen_providers_are_there(render: Render, fallback: str) -> None:
    project = render(project_name="Demo", llm_provider="anthropic", llm_fallback=fallback)

    own = {"anthropic", "google", "gemini_wire", "vertex", "bedrock"}
    there = {path.stem for path in (project / "app/llm/providers").glob("*.py")} & own
    assert (
        there
        == {
            "none": {"anthropic"},
            "vertex": {"anthropic", "vertex", "gemini_wire"},
            "bedrock": {"anthropic", "bedrock"},
        }[fallback]
    )
    tested = {path.stem for path in (project / "tests/llm").glob("test_*.py")}
    assert {f"test_{name}" for name in own - there}.isdisjoint(tested)
    needed = (project / "pyproject.toml").read_text(encoding="utf-8")
    assert ('"google-auth[' in needed) == (fallback == "vertex")
    assert ('"botocore>=' in needed) == (fallback == "bedrock")
    assert f'fallback = "{fallback}"' in (project / "app/answers.toml").read_text(encoding="utf-8")
