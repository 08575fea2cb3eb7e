"""template/ is the project with everything on: it runs where it stands."""

from pathlib import Path

import pytest
import questionnaire
from conftest import ROOT, Render, answers_of, git, tree

SIBLINGS = sorted((ROOT / "template").rglob("*.jinja"))


@pytest.fixture
def everything(render: Render) -> Path:
    answers = answers_of(ROOT / "tests" / "answers" / "everything.yml")
    # One project chooses two providers at most and one place to run; template/ has them all.
    known = questionnaire.completed(questionnaire.ours_again() | answers)
    # Every question is answered, or the computed answers below would be no questions.
    return render(
        **{name: known[name] for name in questionnaire.asked() if name in known},
        llm_providers=["anthropic", "google", "vertex", "bedrock"],
        gateways_used=["litellm"],
        log_stores=["loki", "elk"],
        runs_on_kubernetes=True,
        clouds_used=["aws", "gcp", "azure"],
        runtimes_used=["containers", "kubernetes"],
        releases_in_steps=True,
        ci_systems=["github", "gitlab", "jenkins"],
    )


def test_rendering_with_everything_on_gives_the_files_that_stand_there(everything: Path) -> None:
    plain = tree(ROOT / "template", without=(".venv", ".local"))
    rendered = tree(everything)

    rendered.pop(".copier-answers.yml")
    for name, content in rendered.items():
        assert content.decode("utf-8", "replace") == plain[name].decode("utf-8", "replace"), (
            f"template/{name} and what template/{name}.jinja renders differ"
        )


def test_nothing_that_git_keeps_is_left_out_when_everything_is_on(everything: Path) -> None:
    kept = set(git(ROOT / "template", "ls-files").splitlines())

    rendered = set(tree(everything))

    left_out = {name for name in kept if (ROOT / "template" / name).exists()} - rendered
    assert left_out - {"uv.lock"} == {
        path.relative_to(ROOT / "template").as_posix() for path in SIBLINGS
    }
