"""Measure the guards on public attacks and harmless texts; write the tables of docs/guardrails.md.

    .venv/bin/python scripts/guards/measure.py           prints them
    .venv/bin/python scripts/guards/measure.py --write   and writes them into the page

The first run makes an environment of its own for the corpora in ~/.cache/guard-corpora and keeps
the texts there; none of them is ever part of this repository. corpora.toml says what is measured
and why.
"""

import asyncio
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("APP_ENV", "test")

import uv  # noqa: E402

from app.core.settings import LOADED  # noqa: E402
from app.guardrails import chain  # noqa: E402
from app.guardrails.detector import is_installed  # noqa: E402
from app.guardrails.normalise import clean  # noqa: E402
from app.guardrails.personal_data import personal_data  # noqa: E402
from app.guardrails.settings import GuardrailsSettings  # noqa: E402
from app.guardrails.verdicts import Question, Refused, Zone  # noqa: E402

PLAN = tomllib.loads((HERE / "corpora.toml").read_text(encoding="utf-8"))
# Not below the project: what is looked for there should not be found in other people's packages.
FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "guard-corpora"
TEXTS = FOLDER / "texts.jsonl"
PAGE = ROOT / "docs" / "guardrails.md"
LONG = 500
"""A person's text from this length on is called an instruction, not a question."""
LONGEST = 8_000
SHINGLE = 5
RESEMBLES = 0.5
"""An unseen attack that shares this much of its five-word runs with tuned ones is left out."""
BENIGN = ("benign", "hard", "orders")
APART = ("harm", "scrap")
ZONES = {
    "question": "typed question",
    "instruction": "long instruction",
    "document": "retrieved text",
    "tool": "tool result",
}


@dataclass(frozen=True, slots=True)
class Text:
    source: str
    split: str
    kind: str
    zone: str
    text: str

    @property
    def is_attack(self) -> bool:
        return self.kind not in BENIGN


@dataclass(frozen=True, slots=True)
class Judged:
    text: Text
    guard: str = ""
    reason: str = ""

    @property
    def refused(self) -> bool:
        return bool(self.guard)


def main() -> None:
    texts = corpora()
    if "--personal" in sys.argv:
        show("personal", personal(texts))
        return
    plain = asyncio.run(judge(texts, learned=False))
    judged = asyncio.run(judge(texts, learned=True)) if is_installed() else plain
    show("measured", tables(judged, plain))
    show("personal", personal(texts))
    if "--missed" in sys.argv:
        missed(judged)


def show(part: str, lines: Iterable[str]) -> None:
    page = "\n".join(lines)
    print(page)
    if "--write" in sys.argv:
        before = PAGE.read_text(encoding="utf-8")
        marks = rf"(?s)(<!-- {part} -->\n).*?(<!-- end -->)"
        PAGE.write_text(
            re.sub(marks, lambda found: f"{found[1]}\n{page}\n\n{found[2]}", before),
            encoding="utf-8",
        )


def missed(judged: Iterable[Judged]) -> None:
    """What went wrong, for whoever works on the guards: tuned sources alone."""
    for one in judged:
        wrong = one.refused != one.text.is_attack
        if wrong and one.text.split == "tuned" and one.text.kind not in APART:
            print(one.text.source, "|", one.text.zone, "|", one.reason, "|", one.text.text[:300])


# The texts


def corpora() -> list[Text]:
    """The chosen texts: the same ones in every run."""
    if not TEXTS.exists():
        _read()
    splits = {one["name"]: one["split"] for one in PLAN["source"]}
    by_source: dict[str, list[Text]] = {name: [] for name in splits}
    seen: set[str] = set()
    for line in TEXTS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = row["text"].strip()[:LONGEST]
        if text in seen:
            continue
        seen.add(text)
        zone = row["zone"]
        if zone == "person":
            zone = "question" if len(text) < LONG else "instruction"
        name = row["source"]
        by_source[name].append(Text(name, splits[name], row["kind"], zone, text))
    tuned = {
        shingle
        for texts in by_source.values()
        for one in texts
        if one.split == "tuned" and one.is_attack
        for shingle in shingles(one.text)
    }
    chosen = []
    for name, texts in by_source.items():
        if splits[name] == "unseen":
            texts = [one for one in texts if not one.is_attack or not _resembles(one.text, tuned)]
        most = PLAN["most_per_source"] * (2 if texts and not texts[0].is_attack else 1)
        chosen += Random(f"80 {name}").sample(texts, min(most, len(texts)))
    return chosen


def shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    return {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}


def _resembles(text: str, tuned: set[str]) -> bool:
    mine = shingles(text)
    return len(mine & tuned) >= RESEMBLES * len(mine)


def interpreter() -> Path:
    return FOLDER / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _read() -> None:
    environment = FOLDER / "env"
    if not environment.exists():
        run = [uv.find(), "venv", "--quiet", "--python", PLAN["python"], str(environment)]
        subprocess.run(run, check=True)
    python = interpreter()
    install = [uv.find(), "pip", "install", "--quiet", "--python", str(python)]
    subprocess.run([*install, "--no-deps", *PLAN["packages"]], check=True)
    subprocess.run([*install, *PLAN["readers"]], check=True)
    names = json.dumps([one["name"] for one in PLAN["source"]])
    read = subprocess.run(
        [str(python), str(HERE / "read_corpora.py")],
        input=names,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    TEXTS.write_text(read.stdout, encoding="utf-8")


# The guards


async def judge(texts: Sequence[Text], *, learned: bool) -> list[Judged]:
    os.environ["GUARDRAILS_LEARNED"] = str(learned)
    os.environ["GUARDRAILS_LEARNED_SECONDS"] = "600"
    LOADED.pop(GuardrailsSettings, None)
    at_once = asyncio.Semaphore(4)

    async def one_after_another(one: Text) -> Judged:
        async with at_once:
            return await _judged(one)

    return await asyncio.gather(*map(one_after_another, texts))


async def _judged(one: Text) -> Judged:
    zone = cast("Zone", "person" if one.zone in ("question", "instruction") else one.zone)
    cleaned = clean(one.text)
    try:
        await chain.check(Question(cleaned.text, cleaned.hidden, zone))
    except Refused as refusal:
        if refusal.failed:
            raise
        return Judged(one, refusal.opinion.guard, refusal.opinion.verdict.reason)
    return Judged(one)


# The tables


def tables(judged: Sequence[Judged], plain: Sequence[Judged]) -> Iterator[str]:
    attacks, ordinary = _counted(judged)
    few_attacks, few_ordinary = _counted(plain)
    counted = [*attacks, *ordinary]
    numbers = f"{len(attacks):,} attacks and {len(ordinary):,} harmless texts"
    yield f"{numbers} of {_sources(counted)} sources."
    yield ""
    yield "| | all sources | unseen sources |"
    yield "| --- | --- | --- |"
    yield f"| attacks refused | {_total(attacks)} | {_total(_unseen(attacks))} |"
    yield f"| harmless texts refused | {_total(ordinary)} | {_total(_unseen(ordinary))} |"
    yield f"| attacks, by patterns alone | {_total(few_attacks)} | {_total(_unseen(few_attacks))} |"
    alone = f"{_total(few_ordinary)} | {_total(_unseen(few_ordinary))}"
    yield f"| harmless texts, by patterns alone | {alone} |"
    yield ""
    yield "| zone | attacks refused | unseen | harmless refused | unseen |"
    yield "| --- | --- | --- | --- | --- |"
    for zone, name in ZONES.items():
        cells = [_share(_in(rows, zone)) for rows in _both(attacks, ordinary)]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield "| kind of attack | refused | unseen |"
    yield "| --- | --- | --- |"
    kinds = Counter(one.text.kind for one in attacks)
    for kind in sorted(kinds):
        rows = [one for one in attacks if one.text.kind == kind]
        yield f"| {kind} | {_share(rows)} | {_share(_unseen(rows))} |"
    yield ""
    yield "| not counted above | refused |"
    yield "| --- | --- |"
    for kind, name in (
        ("harm", "plain requests for something harmful, which inject nothing"),
        ("scrap", "an encoded swear word or script tag, with no order in it"),
        ("hard", "harmless, and made to look like an attack"),
        ("orders", "short orders of people to an assistant with tools"),
    ):
        yield f"| {name} | {_share([one for one in judged if one.text.kind == kind])} |"
    yield ""
    yield "| source | split | refused |"
    yield "| --- | --- | --- |"
    by_source = defaultdict(list)
    for one in judged:
        by_source[one.text.source].append(one)
    for plan in PLAN["source"]:
        yield f"| {plan['name']} | {plan['split']} | {_share(by_source[plan['name']])} |"


def _counted(judged: Sequence[Judged]) -> tuple[list[Judged], list[Judged]]:
    counted = [one for one in judged if one.text.kind not in APART]
    attacks = [one for one in counted if one.text.is_attack]
    return attacks, [one for one in counted if one.text.kind == "benign"]


def personal(texts: Iterable[Text]) -> Iterator[str]:
    """How much of made-up personal data is found, and what of harmless texts is touched."""
    countries = GuardrailsSettings.load().phone_countries
    done = subprocess.run(
        [str(interpreter()), str(HERE / "made_up.py")],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, list[bool]] = defaultdict(list)
    for kind, said in map(json.loads, done.stdout.splitlines()):
        text = f"Please note {said} for later."
        whole = (len("Please note "), len(text) - len(" for later."))
        marks = personal_data(text, countries)
        found[kind].append(any(one.start <= whole[0] and one.end >= whole[1] for one in marks))
    yield "| made-up data of six countries | found |"
    yield "| --- | --- |"
    for kind, hits in found.items():
        yield f"| {kind} | {_rate(sum(hits), len(hits))} |"
    # Mails hold addresses, and are no false alarm.
    harmless = [one for one in texts if one.kind == "benign" and "mails" not in one.source]
    touched = [one for one in harmless if personal_data(one.text, countries)]
    yield f"| harmless texts that are touched | {_rate(len(touched), len(harmless))} |"


def _both(
    attacks: Sequence[Judged], ordinary: Sequence[Judged]
) -> tuple[Sequence[Judged], Sequence[Judged], Sequence[Judged], Sequence[Judged]]:
    return attacks, _unseen(attacks), ordinary, _unseen(ordinary)


def _in(rows: Iterable[Judged], zone: str) -> list[Judged]:
    return [one for one in rows if one.text.zone == zone]


def _unseen(rows: Iterable[Judged]) -> list[Judged]:
    return [one for one in rows if one.text.split == "unseen"]


def _sources(rows: Iterable[Judged]) -> int:
    return len({one.text.source for one in rows})


def _share(rows: Sequence[Judged]) -> str:
    return _rate(sum(one.refused for one in rows), len(rows)) if rows else "–"


def _rate(hits: int, n: int) -> str:
    """With Wilson's interval."""
    z, rate = 1.96, hits / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{_percent(rate)} of {n} ({_percent(max(0, middle - half))}–{_percent(middle + half)})"


def _total(rows: Sequence[Judged]) -> str:
    """With an interval from drawing whole sources again and again."""
    by_source = defaultdict(list)
    for one in rows:
        by_source[one.text.source].append(one.refused)
    groups, draw, rates = list(by_source.values()), Random(80), []
    for _ in range(2_000):
        drawn = [hit for group in draw.choices(groups, k=len(groups)) for hit in group]
        rates.append(sum(drawn) / len(drawn))
    rates.sort()
    rate = sum(one.refused for one in rows) / len(rows)
    low, high = rates[50], rates[1949]
    return f"**{_percent(rate)} %** of {len(rows):,} ({_percent(low)}–{_percent(high)})"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


if __name__ == "__main__":
    main()
