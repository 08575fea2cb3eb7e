"""A platform team's fork, exactly as docs/forking.md describes it."""

import re
import shutil
import subprocess
from pathlib import Path

import copier
import copier.errors
import pytest
import yaml
from conftest import ROOT, answers_of, commit_all, git, tree
from copier._cli import CopierApp
from test_update import NEW, OLD, copy, edit, look_older, make_releases, refused, update

PAGE = (ROOT / "docs" / "forking.md").read_text(encoding="utf-8")


def fenced(language: str) -> str:
    return str(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0])


@pytest.fixture
def fork(template: Path, tmp_path: Path, fast_copier: None) -> Path:
    copied = tmp_path / "fork"
    shutil.copytree(template, copied)
    shutil.rmtree(copied / "org", ignore_errors=True)  # where this runs in a fork
    (copied / "org").mkdir()
    (copied / "org" / "acme.yml").write_text(fenced("yaml"))
    choices = re.findall(r"`(\{\"hosting\".*?\}\})`", PAGE)[0]
    (copied / "org" / "choices.json").write_text(choices)
    (copied / "template" / "docs" / "team.md").write_text("# The platform team\n")
    return copied


def render(source: Path, destination: Path, **answers: str) -> Path:
    copier.run_copy(str(source), destination, data=answers, defaults=True, quiet=True)
    return destination


def test_a_fork_replaces_a_question_and_adds_one(fork: Path, tmp_path: Path) -> None:
    recorded = answers_of(render(fork, tmp_path / "project") / ".copier-answers.yml")

    asked = yaml.safe_load(fenced("yaml"))
    assert recorded["hosting"] == asked["hosting"]["default"]
    assert recorded["cost_centre"] == asked["cost_centre"]["default"]


def test_a_choice_that_a_fork_adds_is_taken_and_an_unknown_one_is_not(
    fork: Path, tmp_path: Path
) -> None:
    project = render(fork, tmp_path / "project", hosting="our_machines")
    assert answers_of(project / ".copier-answers.yml")["hosting"] == "our_machines"

    with pytest.raises(copier.errors.UserMessageError, match=r"is not one of .*our_machines"):
        render(fork, tmp_path / "other", hosting="their_machines")


def test_a_question_that_a_fork_adds_is_known_as_one(fork: Path, tmp_path: Path) -> None:
    words = ["copier", "copy", "--defaults", "--data", "cost_centre=4711"]

    CopierApp.run([*words, str(fork), str(tmp_path / "project")], exit=False)

    assert answers_of(tmp_path / "project" / ".copier-answers.yml")["cost_centre"] == "4711"


def test_a_list_setting_of_a_fork_is_added_to_ours(fork: Path, tmp_path: Path) -> None:
    commit_all(fork)
    git(fork, "tag", "v1.0.0")
    project = copy(fork, tmp_path / "project", "v1.0.0")
    (fork / "template" / "docs" / "team.md").write_text("# The new platform team\n")
    edit(fork / "template" / "README.md.jinja", "## Run it", "## How to run it")
    commit_all(fork)
    git(fork, "tag", "v1.0.0.post1")

    update(project)

    assert answers_of(project / ".copier-answers.yml")["_commit"] == "v1.0.0.post1"
    assert (project / "docs" / "team.md").read_text() == "# The platform team\n"
    assert "## Run it" in (project / "README.md").read_text()


@pytest.mark.usefixtures("fast_copier")
def test_a_project_moves_to_a_fork_with_an_edit_of_its_answers(tmp_path: Path) -> None:
    upstream = make_releases(tmp_path / "eighty", look_older, small=True)
    project = copy(upstream, tmp_path / "project", OLD)
    fork = tmp_path / "fork"
    git(tmp_path, "clone", "--quiet", str(upstream), str(fork))
    (fork / "template" / "docs" / "team.md").write_text("# The platform team\n")
    commit_all(fork)
    git(fork, "tag", f"{NEW}.post1")
    edit(project / ".copier-answers.yml", str(upstream), str(fork))
    commit_all(project)

    update(project)

    assert (project / "docs" / "team.md").exists()
    assert not refused(project)
    assert answers_of(project / ".copier-answers.yml")["_commit"] == f"{NEW}.post1"


@pytest.mark.usefixtures("fast_copier")
def test_a_bundle_is_an_address(tmp_path: Path) -> None:
    upstream = make_releases(tmp_path / "eighty", look_older, small=True)
    subprocess.run(
        ["git", "bundle", "create", "--quiet", str(tmp_path / "eighty.bundle"), "--all"],
        cwd=upstream,
        check=True,
    )

    carried = copy(tmp_path / "eighty.bundle", tmp_path / "carried", NEW)

    cloned = tree(copy(upstream, tmp_path / "cloned", NEW))
    cloned.pop(".copier-answers.yml")
    assert {name: one for name, one in tree(carried).items() if name in cloned} == cloned
