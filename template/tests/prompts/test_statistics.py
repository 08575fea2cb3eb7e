"""Against numbers that others have published or that can be counted by hand."""

import pytest

from app.prompts.statistics import difference, p_value, paired, sample_needed, wilson


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
