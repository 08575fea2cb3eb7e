import pytest

from app.evals.cases import Case, SuiteInvalid, suites
from app.evals.judge import kappa
from app.evals.languages import language
from app.evals.scorers import checks, verdict
from app.llm.extractive.vectors import vectors


async def scored(text, became="answered", judged=None, **expect):
    async def embed(texts):
        return vectors(texts)

    async def judge(case, answer):
        return judged

    case = Case(id="x1", input="?", expect=expect)
    return verdict(await checks(case, became, text, embed, judge))


@pytest.mark.parametrize(
    ("expect", "right", "wrong"),
    [
        ({"equals": "144"}, " 144. ", "It is 144."),
        ({"equals": "**Welcome!**"}, "Welcome!", "Welcome back!"),
        ({"equals": "C*."}, "C*.", "D*"),
        ({"contains": ["Six", "weeks"]}, "six  weeks", "six days"),
        ({"contains_any": ["a1", "b2"]}, "has B2", "has c3"),
        ({"lacks": "secret"}, "nothing", "a SECRET"),
        ({"matches": "^2\\d{3}$"}, "year:\n2024", "year: 2024"),
        ({"most_words": 3}, "one two three", "one two three four"),
        ({"language": "de"}, "Das ist nicht der Hund.", "This is not the dog."),
        ({"json_schema": {"type": "array", "minItems": 1}}, "```json\n[1]\n```", "[]"),
        ({"json_schema": {"type": "object", "required": ["a"]}}, '{"a": 1}', '{"a": 1'),
        ({"similar": {"to": "six weeks of notice", "at_least": 0.6}}, "notice: six weeks", "cats"),
    ],
)
async def test_each_check_holds_for_what_is_right_and_only_for_that(expect, right, wrong):
    assert await scored(right, **expect) == "passed"
    assert await scored(wrong, **expect) == "failed"


async def test_what_was_stopped_passes_only_where_it_may_be():
    assert await scored("", "refused", outcome="stopped") == "passed"
    assert await scored("x", "answered", outcome="stopped") == "failed"
    assert await scored("", "withheld", contains="x") == "failed"
    assert await scored("", "withheld", outcome="any", contains="x") == "passed"
    assert await scored("y", "answered", outcome="any", contains="x") == "failed"


async def test_a_rubric_that_nobody_can_judge_is_skipped_and_never_passed():
    assert await scored("x", rubric="Be kind.", judged=None) == "skipped"
    assert await scored("x", rubric="Be kind.", judged=True) == "passed"
    assert await scored("x", rubric="Be kind.", judged=False) == "failed"
    assert await scored("x", rubric="Be kind.", judged=True, contains="y") == "failed"


def test_agreement_beyond_chance():
    assert kappa([(True, True), (False, False)] * 5) == 1.0
    assert kappa([(True, True), (True, False), (False, True), (False, False)]) == 0.0
    assert kappa([(True, False), (False, True)]) == -1.0
    assert kappa([]) == 0.0
    # Who always says yes agrees wherever people only said yes; that shows nothing.
    assert kappa([(True, True)] * 20) == 0.0


def test_languages_are_told_apart_and_nothing_is_not_a_language():
    assert language("La lune est plus petite que la terre et elle tourne.") == "fr"
    assert language("Луна меньше Земли.") == "ru"
    assert language("12 + 30") == ""


HEAD = "suite: x1\ntitle: t\nprompt: p\nfloor: 1"
CASE = "{id: a1, input: q, expect: {}}"


@pytest.mark.parametrize(
    "content",
    [
        f"suite: x1\ntitle: t\nprompt: p\nfloor: 2\ncases: [{CASE}]",
        "suite: x1\ntitle: t\nprompt: p\nfloor: 1\ncases: [{id: a1, input: q, expect: {has: x}}]",
        "suite: x1\ntitle: t\nprompt: p\nfloor: 1\ncases: []",
        f"suite: x1\ntitle: t\nprompt: p\nfloor: 1\ncases: [{CASE}, {CASE}]",
        "just words",
        "a: [",
        f"{HEAD}\ncases:\n",
        f"{HEAD}\ncases: [{{id: a1, input: q, expect: }}]",
        f"{HEAD}\ncases: [words]",
        f"{HEAD}\ndefaults:\n  tags:\ncases: [{CASE}]",
        f"{HEAD}\ncases: [{{id: a1, input: q, expect: {{matches: '('}}}}]",
        f"{HEAD}\ncases: [{{id: a1, input: q, expect: {{json_schema: {{type: text}}}}}}]",
    ],
)
def test_a_slip_in_a_file_of_cases_stops_the_run(tmp_path, content):
    (tmp_path / "x.yml").write_text(content)
    with pytest.raises(SuiteInvalid, match=r"evals/x\.yml"):
        suites(tmp_path)


def test_two_files_are_not_one_suite(tmp_path):
    """Their cases would be counted together, and each be held to the other's floor."""
    for name in ("x", "y"):
        (tmp_path / f"{name}.yml").write_text(f"{HEAD}\ncases: [{CASE}]")
    with pytest.raises(SuiteInvalid, match=r"evals/y\.yml.*x1"):
        suites(tmp_path)
    # As people's corrections are, of each prompt.
    (tmp_path / "y.yml").write_text(
        (tmp_path / "x.yml").read_text().replace("prompt: p", "prompt: q")
    )
    assert [one.prompt for one in suites(tmp_path)] == ["p", "q"]


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "x.yml").write_bytes(b"suite: \xff")
    with pytest.raises(SuiteInvalid, match=r"evals/x\.yml"):
        suites(tmp_path)
