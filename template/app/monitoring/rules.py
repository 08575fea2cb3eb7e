"""The rules of retraining.toml, and what follows from them and the numbers of now."""

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.core.errors import CannotStart
from app.monitoring.drift_tests import LEAST_OPINIONS, Window
from app.monitoring.settings import MonitoringSettings
from app.prompts.statistics import difference

SHIPPED = Path(__file__).parent / "retraining.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class When(_Strict):
    corrections: int | None = Field(None, ge=1)
    drift: list[str] = []
    quality_drop: dict[Literal["correct", "relevant", "safe", "form", "thumbs"], float] = {}


class Rule(_Strict):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,60}$")
    feature: str
    prompt: str = ""
    action: Literal["fine-tune", "rebuild-index"]
    needs: int = Field(0, ge=0)
    """Examples in the dataset."""
    days_between: int = Field(30, ge=1)
    when: When


class RulesInvalid(CannotStart):
    """retraining.toml cannot be read."""


@dataclass(frozen=True)
class Facts:
    """What the rules are put to."""

    new_corrections: int
    examples: int
    drifting: Collection[str]
    reference: Window
    current: Window


@dataclass(frozen=True)
class Verdict:
    reasons: Sequence[str]
    """Why it fires, as sentences; none: it does not."""
    ready: bool
    numbers: dict[str, Any]
    """All that was looked at, also what did not fire."""


def rules() -> list[Rule]:
    """The project's own, or those that come with it. Raises `RulesInvalid`."""
    own = MonitoringSettings.load().rules_file
    path = own if own.is_file() else SHIPPED
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        made = [Rule.model_validate(one) for one in found.get("rule", [])]
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise RulesInvalid(f"{path.name}: {error}") from error
    if any(one.action == "fine-tune" and not one.prompt for one in made):
        raise RulesInvalid(f"{path.name}: a rule that fine-tunes names its prompt.")
    return made


def verdict(rule: Rule, facts: Facts) -> Verdict:
    reasons = []
    numbers: dict[str, Any] = {
        "new_corrections": facts.new_corrections,
        "examples": facts.examples,
        "needs": rule.needs,
        "drifting": sorted(facts.drifting),
        "quality": {},
    }
    most = rule.when.corrections
    if most is not None and facts.new_corrections >= most:
        reasons.append(f"{facts.new_corrections} new corrections, {most} are enough.")
    if moved := sorted({*rule.when.drift} & {*facts.drifting}):
        reasons.append(f"Drift of {' and '.join(moved)}.")
    for name, drop in rule.when.quality_drop.items():
        hits, of = facts.reference.shares.get(name, (0, 0))
        hits_now, of_now = facts.current.shares.get(name, (0, 0))
        if min(of, of_now) < LEAST_OPINIONS:
            numbers["quality"][name] = {"before": [hits, of], "now": [hits_now, of_now]}
            continue
        change = difference(hits, of, hits_now, of_now)
        numbers["quality"][name] = {
            "before": [hits, of],
            "now": [hits_now, of_now],
            "change": [round(one, 4) for one in (change.value, change.low, change.high)],
        }
        if change.value <= -drop and change.high < 0:
            reasons.append(
                f"{name.capitalize()} fell by {-change.value:.1%}"
                f" ({-change.high:.1%} to {-change.low:.1%})."
            )
    return Verdict(reasons, facts.examples >= rule.needs, numbers)
