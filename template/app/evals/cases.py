"""Suites of cases, `evals/*.yml` of the project.

    suite: grounding
    title: Answers from the passages that were given
    prompt: assistant.system
    floor: 0.9
    cases:
      - id: opening-hours
        input: When does the library open on Saturday?
        context: ["The library is open from Tuesday to Friday, and on Saturday from 10."]
        expect: {contains: "10"}

`defaults` holds what all cases of a suite share. Every third case is held out: what prompts are
tried on while they are written is then not all that they are judged by.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.core.errors import CannotStart
from app.core.settings import ROOT

FOLDER = ROOT / "evals"
HELD_OUT_EVERY = 3

Split = Literal["open", "held-out"]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Texts = Annotated[list[str], BeforeValidator(_listed)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Similar(_Strict):
    to: str
    at_least: float = Field(gt=0, le=1)


class Expect(_Strict):
    """What must be true of an answer; each of these is one check."""

    outcome: Literal["answered", "stopped", "any"] = "answered"
    """`stopped`: a guard refused the question or withheld the answer."""
    equals: str | None = None
    contains: Texts = []
    contains_any: Texts = []
    lacks: Texts = []
    matches: Texts = []
    json_schema: dict[str, Any] | None = None
    similar: Similar | None = None
    language: str | None = None
    most_words: int | None = None
    rubric: str | None = None
    """What a judge is asked; counts only while the judge agrees with people."""

    @model_validator(mode="after")
    def _can_be_checked(self) -> "Expect":
        """Before any model is asked, and paid."""
        for one in self.matches:
            try:
                re.compile(one)
            except re.error as error:
                raise ValueError(f"matches {one!r}: {error}") from error
        if self.json_schema is not None:
            import jsonschema_rs  # late, as few cases have one

            jsonschema_rs.validator_for(self.json_schema)
        return self


class Passage(_Strict):
    title: str = "Document"
    text: str


class Said(_Strict):
    role: Literal["user", "assistant"]
    text: str


def _passages(value: Any) -> Any:
    return [{"text": one} if isinstance(one, str) else one for one in _listed(value)]


class Case(_Strict):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,60}$")
    input: str = Field(min_length=1, max_length=20_000)
    history: list[Said] = []
    context: Annotated[list[Passage], BeforeValidator(_passages)] = []
    """Passages of documents that come along."""
    expect: Expect
    tags: list[str] = []
    split: Split = "open"
    source: str = ""
    """Where it comes from, when people did not think it up."""
    needs: Literal["model", "guards"] = "model"
    """`guards`: the stand-in shows it as well, as no model decides it."""


class Suite(_Strict):
    suite: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    title: str
    prompt: str
    floor: float = Field(ge=0, le=1)
    """The share of cases that must pass for a release."""
    margin: float = Field(0.05, ge=0, le=1)
    """A suite that is surely worse than with the live version by more than this does not pass."""
    variables: dict[str, str] = {}
    """Values for variables of the prompt; others get their own name."""
    defaults: dict[str, Any] = {}
    cases: list[Case] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _share(cls, value: Any) -> Any:
        shared = dict(value.get("defaults", {}))
        expected = shared.pop("expect", {})
        tags = shared.pop("tags", [])
        made = []
        for place, one in enumerate(value.get("cases", ()), 1):
            split = "held-out" if place % HELD_OUT_EVERY == 0 else "open"
            case = {"split": split} | shared | one
            case["expect"] = expected | one.get("expect", {})
            case["tags"] = [*tags, *one.get("tags", [])]
            made.append(case)
        return value | {"cases": made}

    @model_validator(mode="after")
    def _unique(self) -> "Suite":
        if len({one.id for one in self.cases}) < len(self.cases):
            raise ValueError("two cases have one id")
        return self

    @cached_property
    def digest(self) -> str:
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]


class SuiteInvalid(CannotStart):
    """A file of cases cannot be read."""


def suites(folder: Path = FOLDER, *, prompt: str = "") -> list[Suite]:
    """Every suite, or those of one prompt. Raises `SuiteInvalid`."""
    found: dict[tuple[str, str], Suite] = {}
    for path in sorted(folder.glob("*.yml")):
        one = _read(path)
        if (one.prompt, one.suite) in found:
            raise SuiteInvalid(f"evals/{path.name}: another file has the suite {one.suite}, too.")
        found[one.prompt, one.suite] = one
    return [one for one in found.values() if prompt in {"", one.prompt}]


def _read(path: Path) -> Suite:
    import yaml  # late, as the web process seldom reads it

    try:
        return Suite.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeError, ValidationError, AttributeError, TypeError) as error:
        raise SuiteInvalid(f"evals/{path.name}: {error}") from error


def named(known: Sequence[Suite], names: Sequence[str]) -> list[Suite]:
    """The suites of these names; none named: all."""
    if unknown := set(names) - {one.suite for one in known}:
        raise SuiteInvalid(f"There is no suite {', '.join(sorted(unknown))} in evals/.")
    return [one for one in known if not names or one.suite in names]
