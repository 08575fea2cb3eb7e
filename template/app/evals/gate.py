"""Whether a run is good enough for a release: floors by suite, and not worse than what is live."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from app.evals.cases import Suite
from app.evals.running import Result
from app.evals.settings import EvalsSettings
from app.prompts.statistics import paired, paired_difference, wilson

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
            cases = "1 case" if broken == 1 else f"{broken} cases"
            found.append(f"{suite.title}: {cases} could not be asked.")
        counted = [state for state in states.values() if state in COUNTED]
        passed = counted.count("passed")
        # As it is written: 0.55 times 100 is more than 55 in binary.
        if counted and passed < Fraction(str(suite.floor)) * len(counted):
            share = wilson(passed, len(counted))
            found.append(
                f"{suite.title}: {passed} of {len(counted)} passed, {share.value:.0%}"
                f" ({share.low:.0%} to {share.high:.0%}); {suite.floor:.0%} must."
            )
        before = {case: state for (name, case), state in live.items() if name == suite.suite}
        both = _both(before, states)
        # By Newcombe: the bootstrap would be sure of one case that failed.
        change = paired_difference(*both) if both else None
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
    both, margin = _both(before, after), EvalsSettings.load().margin
    if both is None:
        return []
    change = paired(*both)
    if change.low >= -margin:
        return []
    told = f"{change.value:+.1%} against the live version ({change.low:+.1%} to {change.high:+.1%})"
    return [f"All together: {told}; nothing below {-margin:.0%} may be left possible."]


def _both(
    before: Mapping[Any, str], after: Mapping[Any, str]
) -> tuple[list[bool], list[bool]] | None:
    """Which of the cases that both have counted passed then, and now; None: there are none."""
    both = [case for case in before if before[case] in COUNTED and after.get(case) in COUNTED]
    if not both:
        return None
    return [before[case] == "passed" for case in both], [after[case] == "passed" for case in both]
