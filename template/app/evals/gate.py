"""Whether a run is good enough for a release: floors by suite, and not worse than what is live."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.evals.cases import Suite
from app.evals.running import Result
from app.evals.settings import EvalsSettings
from app.prompts.statistics import Interval, paired, wilson

COUNTED = ("passed", "failed")


def summary(suites: Sequence[Suite], results: Sequence[Result]) -> dict[str, Any]:
    """By suite: digest, floor, how many passed, failed, were skipped or broke."""
    told = {}
    for suite in suites:
        states = [one.state for one in results if one.suite == suite.suite]
        counts = {state: states.count(state) for state in ("passed", "failed", "skipped", "error")}
        told[suite.suite] = counts | {
            "digest": suite.digest,
            "floor": suite.floor,
            "title": suite.title,
        }
    return told


def verdicts(
    suites: Sequence[Suite], results: Sequence[Result], live: Mapping[tuple[str, str], str]
) -> list[str]:
    """Why these results do not pass, as sentences. `live` has the states of the live version."""
    found = []
    for suite in suites:
        states = {one.case.id: one.state for one in results if one.suite == suite.suite}
        if broken := sum(state == "error" for state in states.values()):
            found.append(f"{suite.title}: {broken} cases could not be asked.")
        counted = [state for state in states.values() if state in COUNTED]
        passed = counted.count("passed")
        if counted and passed < suite.floor * len(counted):
            share = wilson(passed, len(counted))
            found.append(
                f"{suite.title}: {passed} of {len(counted)} passed, {share.value:.0%}"
                f" ({share.low:.0%} to {share.high:.0%}); {suite.floor:.0%} must."
            )
        change = compared(
            {case: state for (name, case), state in live.items() if name == suite.suite}, states
        )
        if change and change.high < -suite.margin:
            found.append(
                f"{suite.title}: surely worse than the live version, by {-change.value:.0%}"
                f" ({-change.high:.0%} to {-change.low:.0%})."
            )
    return found + _of_all(results, live)


def _of_all(results: Sequence[Result], live: Mapping[tuple[str, str], str]) -> list[str]:
    """Not shown to be as good as the live version: the interval reaches below the margin."""
    before = {f"{suite}/{case}": state for (suite, case), state in live.items()}
    after = {f"{one.suite}/{one.case.id}": one.state for one in results}
    change, margin = compared(before, after), EvalsSettings.load().margin
    if change is None or change.low >= -margin:
        return []
    told = f"{change.value:+.1%} against the live version ({change.low:+.1%} to {change.high:+.1%})"
    return [f"All together: {told}; nothing below {-margin:.0%} may be left possible."]


def compared(before: Mapping[str, str], after: Mapping[str, str]) -> Interval | None:
    """How much better the cases are that both have counted; None when there are none."""
    both = [case for case in before if before[case] in COUNTED and after.get(case) in COUNTED]
    if not both:
        return None
    return paired(
        [float(before[case] == "passed") for case in both],
        [float(after[case] == "passed") for case in both],
    )
