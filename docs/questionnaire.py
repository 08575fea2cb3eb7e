"""The questions as data. `make docs` writes docs/options.md and README.md's table from them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

ROOT = Path(__file__).parent.parent
OPTIONS = ROOT / "docs" / "options.md"
README = ROOT / "README.md"
MARKS = ("<!-- options: written by `make docs` -->", "<!-- end of options -->")
PRESETS = ["prototype", "saas", "internal", "regulated"]


class _WithoutQuestions(yaml.SafeLoader):
    pass


_WithoutQuestions.add_constructor("!include", lambda *_: {})


def settings() -> dict[str, Any]:
    """copier.yml without the questions."""
    text = (ROOT / "copier.yml").read_text(encoding="utf-8")
    merged: dict[str, Any] = {}
    for document in yaml.load_all(text, _WithoutQuestions):
        merged |= document or {}
    return merged


def _read(folder: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((ROOT / folder).glob("*.yml")):
        found |= yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: one for name, one in found.items() if not name.startswith("_")}


@cache
def shipped() -> dict[str, dict[str, Any]]:
    """Ours, whatever a fork puts in their place."""
    return _read("questions")


@cache
def of_the_fork() -> dict[str, dict[str, Any]]:
    """Questions that a fork adds, or puts in place of ours: docs/forking.md."""
    return _read("org")


@cache
def questions() -> dict[str, dict[str, Any]]:
    """Every question in the order of asking, computed ones too."""
    return shipped() | of_the_fork()


def asked() -> dict[str, dict[str, Any]]:
    return {name: one for name, one in questions().items() if one.get("when") is not False}


@cache
def environment() -> SandboxedEnvironment:
    """Jinja as Copier sets it up for this template."""
    spelling = {name: value for name, value in settings()["_envops"].items() if name != "undefined"}
    return SandboxedEnvironment(
        loader=FileSystemLoader(ROOT),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        undefined=StrictUndefined,
        **spelling,
    )


@cache
def checks() -> Any:
    """What questions/checks.jinja defines: `rooms`, `numbers`, `reserved`, `refusals()` ..."""
    return environment().get_template("questions/checks.jinja").module


def values(question: dict[str, Any]) -> dict[str, str]:
    """A choice question's values, each with the title that people see."""
    return {
        (value["value"] if isinstance(value, dict) else value): title
        for title, value in question.get("choices", {}).items()
    }


def ours_again() -> dict[str, Any]:
    """What the questions say by themselves that a fork has put others in the place of."""
    replaced = of_the_fork().keys() & shipped().keys()
    ours = completed({"preset": "prototype"}, shipped()) if replaced else {}
    return {name: ours[name] for name in replaced}


def completed(
    given: dict[str, Any], among: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """These answers, and what each other question says by itself, computed ones too."""
    known = {"rooms": checks().rooms, "_copier_conf": {"defaults": True}} | given
    for name, question in (among or questions()).items():
        default = question.get("default")
        if name not in known and name != "refused" and default != "{{ UNSET }}":
            rendered = _compiled(str(default)).render(known).strip()
            plain = question["type"] == "str" and not question.get("multiselect")
            known[name] = rendered if plain else yaml.safe_load(rendered)
    return known


@cache
def _compiled(default: str) -> Template:
    return environment().from_string(default)


def defaults(preset: str) -> dict[str, Any]:
    """What each question answers by itself; nothing for one that has to be asked."""
    known = completed({"preset": preset})
    return {name: known[name] for name in asked() if name in known}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


def page() -> str:
    rooms, numbers = checks().rooms, checks().numbers
    by_preset = {preset: defaults(preset) for preset in PRESETS}
    lines = [
        "# Options",
        "",
        "Written from the questions by `make docs`; do not edit.",
        "",
        "Give an answer beforehand with `copier copy --data NAME=VALUE`. A preset answers what",
        "most teams answer alike and asks the rest; `preset=custom` asks everything.",
        "",
    ]
    for name, question in asked().items():
        lines += [f"## {name}", "", _sentence(question["help"]), ""]
        lines += _values_of(name, question, rooms, numbers)
        lines += [_default_of(name, by_preset), ""]
    lines += ["## Roadmap", ""]
    lines += [
        "A choice that is marked is not made yet. Until it is, Copier shows it greyed out, and",
        "refuses it in `--data` with the same words. Its name is final.",
        "",
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _values_of(
    name: str, question: dict[str, Any], rooms: dict[str, Any], numbers: dict[str, Any]
) -> list[str]:
    if question.get("choices"):
        rows = [
            f"| `{value}` | {title}{_waiting(rooms.get(name, {}).get(value, ''))} |"
            for value, title in values(question).items()
        ]
        return ["| Value | |", "| --- | --- |", *rows, ""]
    if name in numbers:
        low, high = numbers[name]
        return [f"A whole number from {low} to {high}.", ""]
    if question["type"] == "bool":
        return [f"`true`{_waiting(rooms.get(name, {}).get('true', ''))} or `false`.", ""]
    return []


def _sentence(text: str) -> str:
    return text if text.endswith("?") else text + "."


def table() -> str:
    """The options in short, for README.md: what can be had today."""
    rooms = checks().rooms
    lines = ["| Question | Answers today |", "| --- | --- |"]
    for name, question in asked().items():
        if question.get("choices") or question["type"] == "bool":
            known = rooms.get(name) or dict.fromkeys(values(question) or ("true", "false"))
            offered = [f"`{value}`" for value, reason in known.items() if not reason]
            answers = ", ".join(offered) or "none yet"
        else:
            answers = {"int": "a number"}.get(question["type"], "a text")
        lines.append(f"| [{name}](docs/options.md#{name}) | {answers} |")
    return "\n".join(lines) + "\n"


def readme(text: str) -> str:
    """README.md with its table of options written anew."""
    before, _, rest = text.partition(MARKS[0])
    return f"{before}{MARKS[0]}\n{table()}{MARKS[1]}{rest.partition(MARKS[1])[2]}"


def _waiting(reason: str) -> str:
    return f" *({reason.removesuffix(' (docs/options.md)')})*" if reason else ""


def _default_of(name: str, by_preset: dict[str, dict[str, Any]]) -> str:
    found = {preset: answers.get(name) for preset, answers in by_preset.items()}
    if name == "preset":
        return f"Default: `{questions()['preset']['default']}`."
    if None in found.values():
        return "No default: asked when it matters."
    shown = {preset: f"`{_shown(value)}`" for preset, value in found.items()}
    if len(set(shown.values())) == 1:
        return f"Default: {shown['saas']}."
    return "Default: " + ", ".join(f"{preset} {value}" for preset, value in shown.items()) + "."


if __name__ == "__main__":
    OPTIONS.write_text(page(), encoding="utf-8", newline="\n")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
