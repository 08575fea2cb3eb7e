"""Checks of one answer. Each gives whether it holds, or None when it cannot be said."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from app.evals.cases import Case, Expect
from app.evals.languages import language
from app.prompts.statistics import cosine

FENCE = re.compile(r"^```[a-z]*\n(.*)\n```$", re.DOTALL)
STOPPED = {"refused", "withheld"}
MISSHAPEN = "not as asked"
"""Asked twice, the model gave nothing of the prompt's shape."""
AROUND = " .!\"'*`"
"""What may stand around an answer that is to be equal."""

Judge = Callable[[Case, str], Awaitable[bool | None]]
Embed = Callable[[Sequence[str]], Awaitable[list[list[float]]]]


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    holds: bool | None
    detail: str = ""


async def checks(case: Case, outcome: str, text: str, embed: Embed, judge: Judge) -> list[Check]:
    """All that the case asks for; of no answer only why there is none."""
    expect = case.expect
    found = [Check("outcome", _outcome(expect, outcome), outcome)]
    if outcome != "answered":
        return found
    found += _of_text(expect, text)
    if (wanted := expect.similar) is not None:
        one, other = await embed([wanted.to, text])
        near = cosine(one, other)
        found.append(Check("similar", near >= wanted.at_least, f"{near:.2f}"))
    if expect.rubric is not None:
        found.append(Check("rubric", await judge(case, text)))
    return found


def _outcome(expect: Expect, outcome: str) -> bool:
    if expect.outcome == "any":
        return outcome == "answered" or outcome in STOPPED
    return outcome in STOPPED if expect.outcome == "stopped" else outcome == "answered"


def _of_text(expect: Expect, text: str) -> Iterator[Check]:
    folded = _folded(text)
    if expect.equals is not None:
        yield Check("equals", folded.strip(AROUND) == _folded(expect.equals).strip(AROUND))
    for one in expect.contains:
        yield Check("contains", _folded(one) in folded, one)
    if some := expect.contains_any:
        yield Check("contains any", any(_folded(one) in folded for one in some), " | ".join(some))
    for one in expect.lacks:
        yield Check("lacks", _folded(one) not in folded, one)
    for one in expect.matches:
        yield Check("matches", re.search(one, text, re.MULTILINE) is not None, one)
    if expect.json_schema is not None:
        yield Check("JSON", _valid(expect.json_schema, text))
    if expect.language is not None:
        said = language(text)
        yield Check("language", said == expect.language, said or "none seen")
    if expect.most_words is not None:
        count = len(text.split())
        yield Check("length", count <= expect.most_words, f"{count} words")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _valid(schema: dict[str, object], text: str) -> bool:
    import jsonschema_rs  # late, as the web process judges no answers

    bare = text.strip()
    if fenced := FENCE.match(bare):
        bare = fenced[1]
    try:
        document = orjson.loads(bare)
    except orjson.JSONDecodeError:
        return False
    return bool(jsonschema_rs.validator_for(schema).is_valid(document))


def verdict(found: Sequence[Check]) -> str:
    """`passed`, `failed`, or `skipped` when what was left to say cannot be said."""
    if any(one.holds is False for one in found):
        return "failed"
    if any(one.holds is None for one in found):
        return "skipped"
    return "passed"
