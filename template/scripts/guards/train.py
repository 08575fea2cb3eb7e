"""Train the heads of the learned detector, and its gates: app/guardrails/head.json.

    uv run --with scikit-learn scripts/guards/train.py           all of it
    uv run --with scikit-learn scripts/guards/train.py --gates   gates and their limits; heads stay

Takes a quarter of an hour of one core. Nothing that is measured is trained on: see `apart`. Limits
come from texts of families that the head was not trained on, each group of them left out in turn;
what measure.py measures is never looked at.
"""

import asyncio
import json
import math
import random
import re
import subprocess
import sys
import tomllib
import zlib
from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

import measure
import uv

from app.guardrails.detector import Part, Window, detector
from app.guardrails.head import BUCKETS, FILE, buckets
from app.guardrails.input import injection, learned
from app.guardrails.normalise import clean
from app.guardrails.verdicts import Question, Zone

HERE = Path(__file__).parent
PLAN = tomllib.loads((HERE / "training.toml").read_text(encoding="utf-8"))
FOLDS = 8
HEADS = ("person", "elsewhere")
SHARED = 0.3
"""A text that shares this much of its five-word runs with what is measured is not trained on."""
MOST_WINDOWS = {True: 4, False: 16}
"""Of an attack, which seldom stands far behind, and of a harmless text."""
PUT_INTO_TEXTS = 700
PUT_ORDERS = 300
PIECES_COUNT = 1.0
DETECTOR_COUNTS = 1.0
"""How much the letters and the detector's own number count beside what is fitted to its view."""
TOKENS = 30_522
"""So many has the detector."""
BANDS = [one for one in vars(learned).values() if isinstance(one, learned.Band)]
MARGIN = 0.5
"""How much more a view might say for an attack than any that was trained on."""


@dataclass
class Example:
    family: str
    attack: bool
    zone: str
    text: str
    without_head: bool = False
    """Refused already, by patterns or by the detector's number."""
    windows: list[tuple[Any, Any, float, Any]] = field(default_factory=list)
    """Of each its view, the places of its pieces, what its words say, and its different tokens."""

    @property
    def group(self) -> str:
        family = self.family.removeprefix("put: ")
        for group, families in PLAN["groups"].items():
            if family in families:
                return str(group)
        return family

    @property
    def band(self) -> learned.Band:
        return learned.band_of(self.text, cast("Zone", self.zone))


def main() -> None:
    examples = list(apart(_read(), measured()))
    examples += list(_put_into_texts(examples))
    examples = [one for one in examples if learned.is_english(one.text)]
    for one in examples:
        _look(one)
    examples = [one for one in examples if one.windows]
    _fit(examples)


# The texts


def _read() -> list[Example]:
    measure.corpora()
    folder = measure.FOLDER / "training"
    installed, wanted = folder / "installed.txt", "\n".join(PLAN["packages"])
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        install = [uv.find(), "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        python = ["--python", str(measure.interpreter())]
        subprocess.run([*install, *python, *PLAN["packages"]], check=True)
        installed.write_text(wanted, encoding="utf-8")
    read = subprocess.run(
        [str(measure.interpreter()), str(HERE / "training.py"), str(folder)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    seen: dict[str, Example] = {}
    for row in map(json.loads, read.stdout.splitlines()):
        text = row.pop("text").strip()[:6_000]
        row["zone"] = row["zone"] if row["zone"] in ("document", "tool") else "person"
        if len(text) >= 12:
            seen.setdefault(text, Example(**row, text=text))
    return list(seen.values())


def measured() -> Iterator[str]:
    """What is drawn of the tuned sources, and every text of the unseen ones, drawn or not."""
    for one in measure.corpora():
        yield one.text
    splits = {one["name"]: one["split"] for one in measure.PLAN["source"]}
    for line in measure.TEXTS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if splits.get(row["source"]) == "unseen":
            yield row["text"]


def apart(examples: Iterable[Example], others: Iterable[str]) -> Iterator[Example]:
    """Those that resemble nothing of the others."""
    known = {shingle for text in others for shingle in measure.shingles(text)}
    left_out = Counter[str]()
    for one in examples:
        mine = measure.shingles(one.text)
        if len(mine & known) < SHARED * len(mine):
            yield one
        else:
            left_out[one.family] += 1
    print(f"{left_out.total()} left out, which resemble what is measured:", dict(left_out))


def _put_into_texts(examples: list[Example]) -> Iterator[Example]:
    """Short attacks and plain orders between the sentences of harmless documents."""
    drawn = random.Random(80)
    texts = [one.text for one in examples if not one.attack and one.zone != "person"]
    attacks = [
        one
        for one in examples
        if one.attack
        and one.zone == "person"
        and 20 < len(one.text) < 240
        # Challenges ask for a password; nobody would put that into a document.
        and one.group != "challenges"
    ]
    orders = [one for one in examples if one.family == "orders" and 20 < len(one.text) < 240]
    for number in range(PUT_INTO_TEXTS + PUT_ORDERS):
        sentences = re.split(r"(?<=[.!?])\s+", drawn.choice(texts))
        # What a person may order has no business in a document.
        attack = drawn.choice(attacks if number < PUT_INTO_TEXTS else orders)
        place = drawn.randrange(len(sentences))
        before = sentences[max(0, place - drawn.randrange(3)) : place]
        after = sentences[place : place + drawn.randrange(3)]
        text = " ".join([*before, attack.text, *after])[:1_500]
        yield Example(f"put: {attack.family}", True, "document", text)


def _look(one: Example) -> None:
    cleaned = clean(one.text)
    question = Question(cleaned.text, cleaned.hidden, cast("Zone", one.zone))
    one.without_head = asyncio.run(injection.check(question)).action == "block"
    parts = detector().parts(one.text, tokens=one.band.tokens, step=one.band.step)
    for part in islice(parts, MOST_WINDOWS[one.attack]):
        window = detector().look(part)
        one.without_head |= learned.is_sure(window, one.band)
        one.windows.append(_arrays(part, window, one.band))


def _arrays(part: Part, window: Window, band: learned.Band) -> tuple[Any, Any, float, Any]:
    import numpy

    places = numpy.array(sorted(buckets(window.text)), "i4")
    tokens = numpy.array(sorted(set(part.ids)), "i4")
    words = learned.of_words(window.text, band)
    return numpy.array(window.vector, "f4"), places, words, tokens


# The fit


def _fit(examples: list[Example]) -> None:
    import numpy

    owner = [one for one in examples for _ in one.windows]
    windows = [window for one in examples for window in one.windows]
    vectors = numpy.array([vector for vector, _, _, _ in windows], "f4")
    words = numpy.array([said for _, _, said, _ in windows])
    pieces = _sparse([places for _, places, _, _ in windows], BUCKETS)
    tokens = _sparse([found for _, _, _, found in windows], TOKENS)

    before = json.loads(FILE.read_text(encoding="utf-8"))
    gates_alone = "--gates" in sys.argv
    rates, doubts = numpy.full(len(owner), -numpy.inf), numpy.zeros(len(owner))
    heads, guesses = {}, {}
    for name in HEADS:
        judged = numpy.array([_head(one) == name for one in owner])
        # An attack is one in a document, too; what people may order is none of a person.
        trained = judged | numpy.array([one.attack for one in owner]) & (name == "elsewhere")
        kept = before["heads"][name] if gates_alone else None
        heads[name], guesses[name], rates[judged], doubts[judged] = _head_of(
            owner, (vectors, pieces, tokens), judged, trained, kept
        )
    limits = _limits(owner, rates + words)
    if gates_alone:
        limits = before["limits"] | {name: limits[name] for name in PLAN["gates"]}
    gates = {}
    for name in PLAN["gates"]:
        weights, bias = guesses[next(one.head for one in BANDS if one.limit == name)]
        doubt = _doubt(owner, rates + words, doubts, name, limits[name])
        scale = float(weights.max() / 255)
        # Most of the tokens stand in no text that was trained on.
        packed = zlib.compress(numpy.round(weights / scale).astype("u1").tobytes(), 9)
        gates[name] = {
            "bias": bias + doubt,
            "tokens": b64encode(packed).decode(),
            "scale": scale,
        }
    told = {"heads": heads, "limits": limits, "gates": gates}
    FILE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _sparse(places: list[Any], width: int) -> Any:
    import numpy
    from scipy.sparse import csr_matrix

    sizes = numpy.array([len(found) for found in places])
    values = numpy.repeat(numpy.maximum(1, sizes) ** -0.5, sizes)
    starts = numpy.concatenate([[0], numpy.cumsum(sizes)])
    return csr_matrix((values, numpy.concatenate(places), starts), (len(places), width))


def _head(one: Example) -> str:
    return "person" if one.zone == "person" else "elsewhere"


def _head_of(
    owner: list[Example], seen: tuple[Any, Any, Any], judged: Any, trained: Any, kept: Any
) -> tuple[dict[str, Any], tuple[Any, float], Any, Any]:
    """The head, a guess of its view by tokens, and of the windows that it judges what heads that
    were not trained on them say, and how much more their view says than was guessed."""
    import numpy

    vectors, pieces, tokens = seen
    folds = _folds(owner)
    fold = numpy.array([folds[one.group] for one in owner])
    known, said = numpy.zeros(len(owner)), numpy.zeros(len(owner))
    views = []
    for number in range(FOLDS):
        dense, sparse = _models(
            owner, vectors, pieces, numpy.flatnonzero(trained & (fold != number))
        )
        views.append(vectors @ dense[0] + dense[1])
        away = judged & (fold == number)
        known[away] = views[-1][away]
        said[away] = pieces[away] @ sparse[0] + sparse[1]
    harmless = judged & numpy.array([not one.attack for one in owner])
    centre, width = known[harmless].mean(), known[harmless].std()
    pieces_centre, pieces_width = said[harmless].mean(), said[harmless].std()
    number = vectors[:, 0].astype("f8")
    number_centre, number_width = number[harmless].mean(), number[harmless].std()
    share, part = PIECES_COUNT / pieces_width, DETECTOR_COUNTS / number_width
    centres = -centre / width - share * pieces_centre - part * number_centre
    rates = known / width + share * said + part * number + centres

    doubts = numpy.zeros(len(owner))
    for at, found in enumerate(views):
        view = found / width + part * number
        weights, bias = _guess(owner, tokens, view, numpy.flatnonzero(judged & (fold != at)))
        away = judged & (fold == at)
        doubts[away] = view[away] - tokens[away] @ weights - bias

    if kept:
        head = kept
        view = numpy.frombuffer(b64decode(head["vector"]), "<f4").astype("f8")
    else:
        dense, sparse = _models(owner, vectors, pieces, numpy.flatnonzero(trained))
        weights = sparse[0] * share
        view = dense[0] / width
        view[0] += part
        scale = float(numpy.abs(weights).max() / 127)
        head = {
            "bias": float(dense[1] / width + share * sparse[1] + centres),
            "vector": b64encode(view.astype("<f4").tobytes()).decode(),
            "pieces": b64encode(numpy.round(weights / scale).astype("i1").tobytes()).decode(),
            "scale": scale,
            "most": round(float((vectors @ view).max()) + MARGIN, 1),
        }
    guess = _guess(owner, tokens, vectors @ view, numpy.flatnonzero(judged))
    return head, guess, rates[judged], doubts[judged]


def _guess(owner: list[Example], tokens: Any, view: Any, rows: Any) -> tuple[Any, float]:
    """What the view says of these windows for an attack, as far as their tokens tell."""
    import numpy
    from sklearn.linear_model import Ridge

    sizes = Counter(owner[row].family for row in rows)
    weights = numpy.array([sizes[owner[row].family] ** -0.5 for row in rows])
    model = Ridge(alpha=1.0, solver="sparse_cg", tol=1e-3)
    model.fit(tokens[rows], view[rows], weights / weights.mean())
    return numpy.maximum(model.coef_, 0), float(model.intercept_)


def _doubt(owner: list[Example], rates: Any, doubts: Any, name: str, limit: float) -> float:
    """How much more a view is taken to say than is guessed, so that so few attacks are lost."""
    needed: dict[int, float] = {}
    attacks, harmless = set(), []
    for one, rate, doubt in zip(owner, rates.tolist(), doubts.tolist(), strict=True):
        if one.band.limit != name:
            continue
        if not one.attack:
            harmless.append(doubt + limit - rate)
            continue
        attacks.add(id(one))
        if rate >= limit and not one.without_head:
            needed[id(one)] = min(needed.get(id(one), math.inf), doubt + limit - rate)
    most = sorted(needed.values(), reverse=True)
    found = most[int(PLAN["gates"][name] * len(attacks))] + 0.005
    passed = sum(one > found for one in harmless)
    print(f"{name}: doubt {found:.2f}; {passed} of {len(harmless)} harmless windows leave early")
    return found


def _folds(examples: list[Example]) -> dict[str, int]:
    """Whole groups, attacks and harmless texts in every fold."""
    attacks = sorted({one.group for one in examples if one.attack})
    others = sorted({one.group for one in examples} - set(attacks))
    return {group: at % FOLDS for part in (attacks, others) for at, group in enumerate(part)}


def _models(owner: list[Example], vectors: Any, pieces: Any, rows: Any) -> tuple[Any, Any]:
    import numpy
    from sklearn.linear_model import LogisticRegression

    labels = numpy.array([owner[row].attack for row in rows])
    # Large families count for more than small ones, but not as much more as they are larger.
    sizes = Counter(owner[row].family for row in rows)
    weights = numpy.array([sizes[owner[row].family] ** -0.5 for row in rows])
    for label in (True, False):
        weights[labels == label] *= len(rows) / 2 / weights[labels == label].sum()
    middle, spread = vectors[rows].mean(0), vectors[rows].std(0) + 1e-9
    dense = LogisticRegression(C=3e-4, max_iter=400)
    dense.fit((vectors[rows] - middle) / spread, labels, weights)
    factor = dense.coef_[0] / spread
    sparse = LogisticRegression(C=1.0, max_iter=400)
    sparse.fit(pieces[rows], labels, weights)
    return (
        (factor, dense.intercept_[0] - middle @ factor),
        (sparse.coef_[0], sparse.intercept_[0]),
    )


def _limits(owner: list[Example], rates: Any) -> dict[str, float]:
    highest: dict[str, dict[int, tuple[float, Example]]] = defaultdict(dict)
    for one, rate in zip(owner, rates.tolist(), strict=True):
        before = highest[one.band.limit].get(id(one), (rate, one))[0]
        highest[one.band.limit][id(one)] = (max(before, rate), one)
    limits = {}
    for band, most in PLAN["false_alarms"].items():
        of_band = list(highest[band].values())
        harmless = [(rate, one) for rate, one in of_band if not one.attack]
        passed = sorted((rate for rate, one in harmless if not one.without_head), reverse=True)
        limits[band] = round(passed[int(most * len(harmless))] + 0.005, 2)
        by_group = defaultdict(list)
        for rate, one in of_band:
            if one.attack:
                by_group[one.group].append(one.without_head or rate >= limits[band])
        found = {group: f"{sum(hits)} of {len(hits)}" for group, hits in sorted(by_group.items())}
        print(f"{band}: from {limits[band]} on; {len(passed)} of {len(harmless)} harmless")
        print("refused of attacks, the head not knowing their group:", found)
    return limits


if __name__ == "__main__":
    sys.exit(main())
