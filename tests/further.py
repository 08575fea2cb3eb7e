"""Options that bring a module of their own, read from the questions: a new one counts by itself."""

import re
from typing import Any

import questionnaire

Option = tuple[str, Any]


def left_out(answers: dict[str, Any]) -> set[str]:
    """What a project with these answers does not get."""
    paths = questionnaire.completed({"preset": "prototype"} | answers)["excluded_paths"]
    return {line for line in paths.split() if line != "#"}


def _options() -> dict[Option, set[str]]:
    found = {}
    usual = left_out({})
    rooms = questionnaire.checks().rooms
    for name, question in questionnaire.asked().items():
        for value, missing in rooms.get(name, {}).items():
            choice = {"true": True, "false": False}.get(value, value)
            answer = [choice] if question.get("multiselect") else choice
            brought = set() if missing else usual - left_out({name: answer})
            if any(re.fullmatch(r"/app/\w+", path) for path in brought):
                found[name, choice] = brought
    return found


OPTIONS = _options()
"""Question and choice, and the paths that this choice brings."""


def chosen(answers: dict[str, Any]) -> set[Option]:
    missing = left_out(answers)
    return {option for option, paths in OPTIONS.items() if not paths & missing}


def answered(*options: Option) -> dict[str, Any]:
    """Answers that switch these on."""
    answers: dict[str, Any] = {}
    for name, value in options:
        several = questionnaire.asked()[name].get("multiselect")
        answers[name] = [*answers.get(name, []), value] if several else value
    return answers
