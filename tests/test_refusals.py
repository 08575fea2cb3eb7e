"""A wrong answer is one clear sentence, and nothing is written."""

from pathlib import Path
from typing import Any

import copier
import copier.errors
import pytest
import questionnaire
import yaml
from copier._cli import CopierApp

CHECKS = questionnaire.checks()

WRONG: list[tuple[dict[str, str], str]] = [
    ({"project_slug": "class"}, '"class" is taken by Python'),
    ({"project_slug": "match"}, '"match" is taken by Python'),
    ({"project_slug": "json"}, '"json" is taken by Python'),
    ({"project_slug": "fastapi"}, "a package the app needs"),
    ({"project_slug": "app"}, 'take another, such as "app-app"'),
    ({"project_slug": "größe"}, '"größe" will not'),
    ({"project_slug": "My-App"}, "3 to 40 of a-z"),
    ({"project_slug": "ab"}, "3 to 40 of a-z"),
    ({"project_slug": "-abc"}, "a letter first"),
    ({"project_slug": "abc-"}, 'no "-" last'),
    # Databases of Amazon and containers of Azure take none.
    ({"project_slug": "ab--c"}, "no two together"),
    ({"project_slug": "a" * 41}, "3 to 40 of a-z"),
    ({"project_slug": "abc\n"}, "3 to 40 of a-z"),
    ({"project_slug": "../evil"}, "3 to 40 of a-z"),
    ({"project_name": ""}, "project_name must not be empty"),
    ({"project_name": "   "}, "project_name must not be empty"),
    ({"project_name": "two\nlines"}, "must be one line"),
    ({"project_name": "x" * 61}, "must not be longer than 60"),
    ({"project_name": "東京"}, '"東京" has no letter of a-z'),
    ({"project_name": "123"}, "give project_slug too"),
    ({"description": "x" * 201}, "must not be longer than 200"),
    ({"people_at_peak": "0"}, "whole number from 1 to 1000000"),
    ({"people_at_peak": "-5"}, "whole number from 1 to 1000000"),
    ({"people_at_peak": "many"}, '"many" is not a whole number'),
    ({"people_at_peak": "2.5"}, "whole number from 1 to 1000000"),
    ({"people_at_peak": "9" * 30}, "whole number from 1 to 1000000"),
    ({"calls_per_person_per_hour": "10001"}, "whole number from 1 to 10000"),
    ({"monthly_budget": "0"}, "whole number from 1 to 10000000"),
    ({"retention_days": "forever"}, "whole number from 1 to 3650"),
    ({"sign_up": "domain"}, "name at least one e-mail domain"),
    ({"sign_up": "domain", "sign_up_domains": "gmail.com"}, "anyone can get an address"),
    ({"sign_up": "domain", "sign_up_domains": "example"}, "is not an e-mail domain"),
    ({"sign_up": "domain", "sign_up_domains": "a@example.com"}, "is not an e-mail domain"),
    ({"sign_up": "domain", "sign_up_domains": "münchen.example"}, "xn--mnchen-3ya.example"),
    ({"web_ui": "maybe"}, '"maybe" is not one of true, false'),
    ({"hosting": "heroku"}, "is not one of compose, aws, gcp, azure, kubernetes"),
    ({"preset": "startup"}, "is not one of prototype, saas"),
    ({"compliance": "gdpr"}, "write a list, such as [gdpr]"),
    ({"sign_in_methods": "[faces]"}, '"faces" is not one of passkeys'),
    ({"region": "eu-central-1"}, 'region is "local"'),
    ({"hosting": "aws", "data_location": "eu", "region": "eu-west-2"}, "leave these regions"),
    ({"hosting": "gcp", "data_location": "us", "region": "europe-west3"}, "us-central1"),
    ({"hosting": "azure", "region": "Germany!"}, "is not the name of a region"),
    ({"llm_provider": "anthropic", "data_location": "eu"}, "has no EU region"),
    ({"llm_provider": "google", "preset": "regulated"}, "has no EU region"),
    ({"llm_fallback": "anthropic", "data_location": "eu"}, "has no EU region"),
    ({"llm_fallback": "google", "compliance": "[hipaa]"}, "business associate agreement"),
    ({"llm_provider": "openai", "llm_fallback": "openai"}, "is the first provider already"),
    ({"release_strategy": "canary"}, "hosting=compose offers blue_green"),
    ({"hosting": "aws", "log_store": "elk"}, "log_store: elk is for one machine"),
    (
        {"hosting": "aws", "cloud_runtime": "kubernetes", "release_strategy": "canary"},
        "cloud_runtime=containers",
    ),
    (
        {"hosting": "azure", "cloud_runtime": "kubernetes", "release_strategy": "canary"},
        "that splits requests",
    ),
    ({"compliance": "[hipaa]"}, "HIPAA data needs second_factor=everyone"),
    ({"compliance": "[hipaa]", "llm_provider": "google"}, "business associate agreement"),
    ({"compliance": "[hipaa]", "sign_in_methods": "[sms_codes]"}, "leave sms_codes out"),
    ({"hostng": "aws"}, "hostng is no question here. The questions: calls_per_person_per_hour,"),
]
# Every choice whose room is not built yet.
WRONG += [
    ({name: f"[{value}]" if name in {"compliance", "sign_in_methods"} else value}, reason)
    for name, values in CHECKS.rooms.items()
    for value, reason in values.items()
    if reason
]


def identity(value: object) -> str:
    return (
        ",".join(f"{k}={str(v)[:20]}" for k, v in value.items()) if isinstance(value, dict) else ""
    )


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=identity)
def test_on_the_command_line_a_wrong_answer_is_a_sentence(
    template: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fast_copier: None,
    wrong: dict[str, str],
    sentence: str,
) -> None:
    destination = tmp_path / "project"
    data = [part for name, value in wrong.items() for part in ("--data", f"{name}={value}")]

    _, code = CopierApp.run(
        ["copier", "copy", "--defaults", *data, str(template), str(destination)], exit=False
    )

    shown = capsys.readouterr().err
    assert code == 1
    assert "Nothing was written." in shown
    assert sentence in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) < 10
    assert not destination.exists()


def test_every_wrong_answer_is_told_at_once(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fast_copier: None
) -> None:
    answers = tmp_path / "answers.yml"
    answers.write_text(yaml.safe_dump({"project_slug": "class", "people_at_peak": -1}))

    _, code = CopierApp.run(
        ["copier", "copy", "--defaults", "--data-file", str(answers), str(template),
         str(tmp_path / "project")], exit=False
    )  # fmt: skip

    shown = capsys.readouterr().err
    assert code == 1
    assert "project_slug:" in shown
    assert "people_at_peak:" in shown


def test_every_question_is_known_as_one() -> None:
    given = dict.fromkeys(questionnaire.asked(), "")

    assert "is no question" not in CHECKS.refusals(given, True, False)


def test_a_mistyped_name_is_refused_quietly_too_and_a_question_that_is_gone_is_not() -> None:
    """An update renders quietly with every answer that was given before."""
    assert "presset is no question" in CHECKS.refusals({"presset": "saas"}, True, True)
    before = dict.fromkeys(questionnaire.asked(), "") | {"gone": "x"}
    assert "is no question" not in CHECKS.refusals(before, True, True)
    assert "gone is no question" in CHECKS.refusals(before, True, False)


def test_who_renders_quietly_with_a_mistyped_name_gets_no_project(
    template: Path, tmp_path: Path, fast_copier: None, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["copier", "copy", "--quiet", "--defaults", "--data", "presset=saas"]
    _, code = CopierApp.run([*words, str(template), str(tmp_path / "project")], exit=False)

    assert code == 1
    assert "presset is no question here" in capsys.readouterr().err
    assert not (tmp_path / "project").exists()


def test_a_program_that_renders_gets_the_sentence_in_the_error(
    template: Path, tmp_path: Path, fast_copier: None
) -> None:
    with pytest.raises(copier.errors.UserMessageError, match="whole number from 1 to 1000000"):
        copier.run_copy(
            str(template),
            tmp_path / "project",
            data={"people_at_peak": 0},
            defaults=True,
            quiet=True,
        )

    assert not (tmp_path / "project").exists()


# At a prompt each question's own validator speaks; a default from elsewhere meets it as well.
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"project_name": " "}, "must not be empty"),
        ({"project_slug": "class"}, "taken by Python"),
        ({"description": "a\nb"}, "one line"),
        ({"sign_up": "domain", "sign_up_domains": "gmail.com"}, "anyone can get"),
        ({"people_at_peak": 0}, "whole number"),
        ({"calls_per_person_per_hour": 0}, "whole number"),
        ({"monthly_budget": 0}, "whole number"),
        ({"retention_days": 0}, "whole number"),
        ({"region": "moon"}, 'region is "local"'),
    ],
    ids=identity,
)
def test_at_a_prompt_a_wrong_answer_is_the_same_sentence(
    template: Path, tmp_path: Path, fast_copier: None, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        copier.run_copy(
            str(template), tmp_path / "project", user_defaults=wrong, defaults=True, quiet=True
        )

    assert not (tmp_path / "project").exists()
