"""What would quietly break an update, a fork or a promise, found before it is released."""

import ast
import keyword
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import documents
import pytest
import questionnaire
import yaml
from conftest import ROOT, git

TEMPLATE = ROOT / "template"
SETTINGS = questionnaire.settings()
CHECKS = questionnaire.checks()
FILES = git(ROOT, "ls-files", "-co", "--exclude-standard").splitlines()
PYTHON = [name for name in FILES if name.startswith("template/") and name.endswith(".py")]
PAGES = [name for name in FILES if name.endswith(".md") and (ROOT / name).exists()]
RELEASED = next(iter(git(ROOT, "tag", "--list", "v*", "--sort=-version:refname").split()), None)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# The questionnaire


def test_copying_can_never_need_trust() -> None:
    assert not {"_tasks", "_jinja_extensions", "_external_data", "_secret_questions"} & set(
        SETTINGS
    )


def test_what_is_left_out_comes_from_one_computed_answer() -> None:
    conditions = [pattern for pattern in SETTINGS["_exclude"] if "{{" in pattern or "{%" in pattern]
    kept = [one for one in conditions if "_copier_operation == 'update'" not in one]
    assert kept == ["{{ excluded_paths }}"]
    patterns = questionnaire.questions()["excluded_paths"]["default"].splitlines()
    for pattern in patterns:
        if not pattern.startswith("# {%"):
            assert pattern.startswith("/"), f"{pattern} matches in folders of theirs too"
            assert not pattern.endswith("/"), f"{pattern} leaves an empty folder"


def test_every_question_has_a_type_a_help_text_and_a_default() -> None:
    for name, question in questionnaire.questions().items():
        assert "type" in question, name
        assert "default" in question, f"an update with --defaults fails without one: {name}"
        assert question.get("when") is False or question.get("help"), name


def test_the_table_of_choices_holds_every_choice() -> None:
    questions, forks = questionnaire.asked(), questionnaire.of_the_fork()
    for name, question in questions.items():
        if name in forks:
            # Theirs may have choices that are refused; and no table, where the question is new.
            offered = set(questionnaire.values(question))
            assert offered <= set(CHECKS.rooms.get(name, offered)), name
        elif question.get("choices"):
            assert list(CHECKS.rooms[name]) == list(questionnaire.values(question)), name
        elif question["type"] == "bool":
            assert set(CHECKS.rooms[name]) == {"true", "false"}, name
        elif question["type"] == "int":
            assert name in CHECKS.numbers, name
    assert set(CHECKS.rooms) | set(CHECKS.numbers) <= set(questions)


def test_a_choice_that_cannot_be_had_is_greyed_out() -> None:
    for name, question in questionnaire.asked().items():
        for choice in question.get("choices", {}).values():
            value = choice["value"] if isinstance(choice, dict) else choice
            if CHECKS.rooms.get(name, {}).get(value):
                assert isinstance(choice, dict), f"{name}: {value} needs its validator"


def test_a_preset_decides_what_it_promises_to_decide() -> None:
    """`ask` records the answer that a preset gives; `when` would forget it."""
    for name, question in questionnaire.asked().items():
        if "preset" in str(question.get("when", "")):
            pytest.fail(f"{name}: use ask, not when")


def test_a_name_that_would_break_the_project_is_reserved() -> None:
    slug = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]\Z")
    locked = tomllib.loads(text("template/uv.lock"))["package"]
    names = {package["name"] for package in locked} - {"demo"}
    names |= {*sys.stdlib_module_names, *map(str.lower, [*keyword.kwlist, *keyword.softkwlist])}

    missing = {name for name in names if slug.match(name)} - set(CHECKS.reserved)

    assert not missing, f"add to questions/reserved_names.txt: {' '.join(sorted(missing))}"


# The template


@pytest.mark.parametrize("name", PYTHON)
def test_python_is_python_before_it_is_rendered(name: str) -> None:
    source = text(name)
    ast.parse(source, name)
    assert "{%" not in source or "/tests/" in name, "a tag of Jinja in Python"
    assert not (ROOT / f"{name}.jinja").exists()
    assert len(source.splitlines()) < 400, "more than 400 lines are two ideas"


def test_few_files_are_jinja_and_none_of_them_differs_by_time_or_place() -> None:
    rendered = [name for name in FILES if name.startswith("template/") and name.endswith(".jinja")]

    assert len(rendered) <= 10, "options are whole files and folders, not blocks"
    for name in rendered:
        assert not re.search(r"_folder_name|dst_path|strftime|ans_random|now\(|_copier_conf\.os",
                             text(name)), name  # fmt: skip


@pytest.mark.parametrize("folder", [ROOT, TEMPLATE], ids=["generator", "app"])
def test_every_dependency_has_an_upper_bound(folder: Path) -> None:
    """What is open at the top breaks fresh projects the day a major release comes out."""
    told = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    named = list(told["project"].get("dependencies", []))
    named += told.get("build-system", {}).get("requires", [])
    for group in told.get("dependency-groups", {}).values():
        named += [one for one in group if isinstance(one, str)]
    assert named
    for one in named:
        assert "<" in one.partition(";")[0], one


def test_every_module_has_its_layer() -> None:
    contracts = tomllib.loads(text("template/pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = " | ".join(next(c["layers"] for c in contracts if c["type"] == "layers"))
    placed = {name.strip(" ()") for name in layers.split("|")}

    modules = {name.split("/")[2].removesuffix(".py") for name in PYTHON if "/app/" in name}

    assert placed <= modules
    # A fork's own are above all others, as the modules of a project are.
    assert modules - {"__init__"} == placed or questionnaire.of_the_fork()


def test_every_provider_that_is_offered_is_there() -> None:
    for provider, reason in CHECKS.rooms["llm_provider"].items():
        exists = (TEMPLATE / "app" / "llm" / "providers" / f"{provider}.py").exists()
        assert exists == (not reason), provider


def test_every_derived_number_is_read_by_the_app() -> None:
    sources = "\n".join(text(name) for name in PYTHON if "/app/" in name)

    for name in tomllib.loads(text("template/app/answers.toml"))["capacity"]:
        assert f'"{name}"' in sources, f"nothing reads capacity.{name}"


# Releases


def test_nothing_that_a_release_had_is_gone_without_a_word() -> None:
    if RELEASED is None:
        pytest.skip("there is no release yet")
    before = git(ROOT, "ls-tree", "-r", "--name-only", RELEASED, "template").splitlines()
    assert not forgotten(
        set(before) - set(FILES), str(SETTINGS["_migrations"]), text("CHANGELOG.md")
    )


def forgotten(gone: set[str], migrations: str, changelog: str) -> list[str]:
    """Paths that neither a migration moves nor the change log names."""
    paths = sorted(name.removeprefix("template/") for name in gone)
    return [path for path in paths if not mentioned(path, migrations) | mentioned(path, changelog)]


def mentioned(path: str, where: str) -> bool:
    parts = path.split("/")
    folders = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return any(re.search(rf"(?<![\w/.-]){re.escape(one)}(?![\w/.-])", where) for one in folders[1:])


def test_a_path_that_is_gone_must_be_moved_or_named() -> None:
    gone = {"template/app/mail/old.py", "template/app/rooms/a.py", "template/docs/page.md"}

    assert forgotten(gone, "", "") == ["app/mail/old.py", "app/rooms/a.py", "docs/page.md"]
    assert forgotten(
        gone, "['app/rooms', 'app/cellar']", "- `docs/page.md` went into the index"
    ) == ["app/mail/old.py"]


def test_no_choice_of_a_release_is_gone() -> None:
    if RELEASED is None:
        pytest.skip("there is no release yet")
    now = questionnaire.shipped()
    for path in git(ROOT, "ls-tree", "-r", "--name-only", RELEASED, "questions").splitlines():
        if not path.endswith(".yml"):
            continue
        for name, question in yaml.safe_load(git(ROOT, "show", f"{RELEASED}:{path}")).items():
            if question.get("when") is not False:
                lost = set(questionnaire.values(question)) - set(questionnaire.values(now[name]))
                assert not lost, f"recorded answers would fall back without a word: {name} {lost}"


def test_the_newest_entry_of_the_change_log_is_this_version() -> None:
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]

    assert re.findall(r"^## (\S+)", text("CHANGELOG.md"), re.MULTILINE)[0] == version


# The documents


def test_what_a_project_may_leave_out_of_its_tests_is_run_here() -> None:
    """Where a team changed its assistant, tests that need what it had step aside; ours has it."""
    assert "async def _turn(" in text("template/app/assistant/endpoints.py")
    for line in text("template/tests/costly.txt").splitlines():
        if line.startswith("assistant/"):
            file, _, name = line.partition("::")
            assert f"def {name}(" in text(f"template/tests/{file}"), line


def test_what_is_written_from_the_questions_is_up_to_date() -> None:
    assert text("docs/options.md") == questionnaire.page(), "make docs"
    assert text("README.md") == questionnaire.readme(text("README.md")), "make docs"


def test_an_update_leaves_the_pages_that_a_project_writes() -> None:
    written = re.findall(
        r'^    "([\w/-]+\.md)": \w+_page,', text("template/scripts/document.py"), re.M
    )

    assert {f"/docs/{name}" for name in written} <= set(SETTINGS["_skip_if_exists"])
    assert set(written) | {"security/asvs.md"} == documents.WRITTEN


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(name)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), f"{name} links to {target}"
        if anchor and found.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in anchors, f"{name} links to {target}"


@pytest.mark.parametrize("folder", ["docs", "template/docs"])
def test_every_page_is_in_the_table_of_contents(folder: str) -> None:
    index = ROOT / folder / ("index.md" if folder == "docs" else "README.md")
    listed = index.read_text(encoding="utf-8")

    for page in sorted((ROOT / folder).glob("*.md")):
        assert page == index or f"({page.name})" in listed, f"{page.name} is not in {index.name}"


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_short_and_names_the_check_that_holds_it(path: Path) -> None:
    decision = path.read_text(encoding="utf-8")

    assert len(decision.splitlines()) <= 35
    checks = re.findall(r"`((?:tests|template)/[\w/.-]+)`", decision.partition("## Check")[2])
    assert checks, "name the file that fails when somebody forgets"
    for check in checks:
        assert (ROOT / check).exists() or (TEMPLATE / check).exists(), check


def test_decisions_are_numbered_one_after_the_other() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS if path.name[:4].isdigit()]

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_recipes_and_workflows_parse_and_hold_to_the_rules() -> None:
    folder = Path(sys.executable).parent
    workflows = [name for name in FILES if "/workflows/" in f"/{name}"]
    for command in (
        ["zizmor", "--offline", "--quiet", *workflows],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "template/compose.yml"],
        ["hadolint", "template/Dockerfile"],
    ):
        done = subprocess.run(
            [folder / command[0], *command[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("address", "is_found"),
    [("eighty", False), ("../eighty", False), ("/srv/eighty", True), ("~/eighty", True),
     ("gh:us/eighty", True), ("https://git.example/eighty", True), ("C:\\eighty", True)],
)  # fmt: skip
def test_an_address_that_updates_would_not_find_is_told(address: str, is_found: bool) -> None:
    message = questionnaire.environment().get_template("messages/after_copy.md.jinja")
    told = message.render(
        project_name="Demo", _copier_conf={"dst_path": "x"}, _copier_answers={"_src_path": address}
    )
    assert ("write the whole\npath" in told) is not is_found
