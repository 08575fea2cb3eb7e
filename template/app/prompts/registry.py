"""What each call is made with: kept in the process, so that a call asks the database nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, LiteralString
from uuid import UUID

from app.access.person import Person
from app.clocks.kept import Kept
from app.core.errors import Unavailable
from app.limits.connections import fetch_all
from app.llm.port import PromptUsed
from app.prompts.text import rendered

LABELLED: LiteralString = """
    SELECT p.name, l.label, v.id, v.number, v.text, v.variables
    FROM prompts p JOIN prompt_labels l ON l.prompt_id = p.id
    JOIN prompt_versions v ON v.id = l.version_id
"""
EXPERIMENTS: LiteralString = """
    SELECT p.name, e.id, e.percent, v.id, v.number, v.text, v.variables
    FROM prompt_experiments e JOIN prompts p ON p.id = e.prompt_id
    JOIN prompt_versions v ON v.id = e.candidate_id
    WHERE e.ended_at IS NULL
"""
SHADOWS: LiteralString = """
    SELECT p.name, s.id, s.percent, s.microdollars_per_day, v.id, v.number, v.text, v.variables
    FROM prompt_shadows s JOIN prompts p ON p.id = s.prompt_id
    JOIN prompt_versions v ON v.id = s.candidate_id
    WHERE s.ended_at IS NULL
"""


class PromptsNotLoaded(Unavailable):
    """The registry could not be read yet."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version as calls need it."""

    id: UUID
    number: int
    text: str
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    id: UUID
    percent: int
    candidate: Version

    def takes(self, person: Person) -> bool:
        """Whether this person gets the candidate: the same answer for as long as it runs."""
        key = self.id.bytes + person.user_id.bytes
        place = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
        return place % 100 < self.percent


@dataclass(frozen=True, slots=True)
class Shadow:
    """A candidate that is asked as well, for some answers."""

    id: UUID
    percent: int
    microdollars_per_day: int
    candidate: Version


@dataclass(frozen=True, slots=True)
class Known:
    """What was read last."""

    labels: Mapping[tuple[str, str], Version] = field(default_factory=dict)
    """By name and label."""
    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    """Those that run, by the name of their prompt."""
    shadows: Mapping[str, Shadow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """A prompt to send, and what to write down with the call."""

    text: str
    used: PromptUsed


def use(name: str, person: Person, **values: str) -> Ready:
    """The prompt `name` for this person, with these values in its places."""
    version = _chosen(name, person)
    text = rendered(version.text, version.variables, values)
    return Ready(text, PromptUsed(name, version.number, values))


def live(name: str) -> Version:
    """Raises `PromptsNotLoaded`."""
    if kept.known is None:
        raise PromptsNotLoaded("The prompts cannot be read yet; please try again.")
    found = kept.known.labels.get((name, "live"))
    if found is None:
        raise PromptsNotLoaded(f"There is no prompt {name} that is live.")
    return found


def shadow(name: str) -> Shadow | None:
    return kept.known.shadows.get(name) if kept.known else None


def _chosen(name: str, person: Person) -> Version:
    standard = live(name)
    experiment = kept.known.experiments.get(name) if kept.known else None
    if experiment is not None and experiment.takes(person):
        return experiment.candidate
    return standard


async def _registry() -> Known:
    return Known(await _labels(), await _experiments(), await _shadows())


async def _labels() -> Mapping[tuple[str, str], Version]:
    rows: list[Any] = await fetch_all(LABELLED, {})
    return {
        (name, label): Version(id, number, text, tuple(variables))
        for name, label, id, number, text, variables in rows  # noqa: A001
    }


async def _experiments() -> Mapping[str, Experiment]:
    rows: list[Any] = await fetch_all(EXPERIMENTS, {})
    return {
        name: Experiment(id, percent, Version(of, number, text, tuple(variables)))
        for name, id, percent, of, number, text, variables in rows  # noqa: A001
    }


async def _shadows() -> Mapping[str, Shadow]:
    rows: list[Any] = await fetch_all(SHADOWS, {})
    return {
        name: Shadow(id, percent, most, Version(of, number, text, tuple(variables)))
        for name, id, percent, most, of, number, text, variables in rows  # noqa: A001
    }


kept = Kept("prompts", _registry, PromptsNotLoaded)
