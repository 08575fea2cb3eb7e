"""Against numbers that others have published or that can be counted by hand."""

import itertools
import math

import pytest

from app.prompts.statistics import (
    difference,
    p_value,
    paired,
    paired_difference,
    sample_needed,
    wilson,
)


def test_intervals_of_shares_are_those_of_the_literature():
    # Newcombe (1998), table I and II: 81 of 263, 15 of 148, 0 of 20.
    found = [wilson(81, 263), wilson(15, 148), wilson(0, 20)]
    assert [(round(one.low, 4), round(one.high, 4)) for one in found] == [
        (0.2553, 0.3662),
        (0.0624, 0.1605),
        (0.0, 0.1611),
    ]
    # Newcombe (1998), interval for differences, method 10: 56/70 - 48/80.
    one = difference(48, 80, 56, 70)
    assert (round(one.low, 4), round(one.high, 4)) == (0.0524, 0.3339)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert (difference(0, 0, 1, 2).low, difference(0, 0, 1, 2).high) == (-1.0, 1.0)


def test_the_test_of_two_shares_and_the_sample_that_it_needs():
    assert p_value(15, 100, 30, 100) == pytest.approx(0.0109, abs=0.0002)
    assert p_value(5, 5, 7, 7) == p_value(0, 0, 1, 2) == 1.0
    assert 380 < sample_needed(0.5, 0.1) < 392
    assert sample_needed(0.5, 0.5) == 30  # With the 8 that the formula says, 8 % are false alarms.
    assert sample_needed(1.0, 0.1) > 50  # No share is above one: the other way is meant.


def test_the_bootstrap_sees_a_change_of_the_same_cases_and_invents_none():
    same = [1.0, 0.0] * 40
    assert (paired(same, same).low, paired(same, same).high) == (0.0, 0.0)
    better = paired([0.0] * 30 + [1.0] * 70, [1.0] * 100)
    assert better.value == pytest.approx(0.3)
    assert 0.2 < better.low < 0.3 < better.high < 0.4
    assert better == paired([0.0] * 30 + [1.0] * 70, [1.0] * 100)
    assert (paired([], []).low, paired([], []).high) == (-1.0, 1.0)


def test_the_interval_of_few_pairs_is_as_wide_as_it_must_be():
    """Whatever is true, of all the outcomes that eight cases may have, 95 of 100 hold it."""
    outcomes = [(True, True), (True, False), (False, True), (False, False)]
    for chances in ((0.97, 0.03, 0.0, 0.0), (0.5, 0.3, 0.1, 0.1), (0.25, 0.25, 0.25, 0.25)):
        held = 0.0
        for counts in itertools.product(range(9), repeat=4):
            if sum(counts) != 8:
                continue
            pairs = [one for one, many in zip(outcomes, counts, strict=True) for _ in range(many)]
            ways = math.factorial(8) / math.prod(map(math.factorial, counts))
            chance = ways * math.prod(p**k for p, k in zip(chances, counts, strict=True))
            found = paired_difference(*zip(*pairs, strict=True))
            held += chance * (found.low <= chances[2] - chances[1] <= found.high)
        assert held > 0.94, chances
    assert paired_difference([True] * 3, [True] * 3).low < -0.5
    large = [True] * 180 + [False] * 40
    assert -0.03 < paired_difference(large, large).low < 0
