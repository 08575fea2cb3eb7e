"""The statistics, against numbers of tables and other programs."""

import random
from collections import Counter

import pytest

from app.monitoring.drift_tests import (
    Window,
    chi_square,
    cohens_h,
    compared,
    fisher,
    kolmogorov_smirnov,
    stability_index,
    upper_gamma,
)


@pytest.mark.parametrize(
    ("degrees", "value", "p"),
    # Critical values of the chi-square distribution, as every table has them.
    [
        (1, 3.841, 0.05),
        (1, 10.828, 0.001),
        (5, 11.070, 0.05),
        (10, 23.209, 0.01),
        (30, 43.773, 0.05),
    ],
)
def test_chi_square_s_tail_is_that_of_the_tables(degrees, value, p):
    assert upper_gamma(degrees / 2, value / 2) == pytest.approx(p, rel=2e-3)


def test_the_tests_give_what_is_known_of_them():
    # Fisher's tea: 3 of 4 against 1 of 4.
    assert fisher(3, 4, 1, 4) == pytest.approx(0.4857, abs=1e-4)
    assert fisher(0, 20_000, 15, 300) < 1e-20
    assert fisher(10, 100, 10, 100) == pytest.approx(1)
    assert cohens_h(0.5, 0.5) == 0
    assert cohens_h(0, 0.02) == pytest.approx(0.2838, abs=1e-4)
    # 100 of 50 and 50, 100 of 30 and 70: chi-square 8.333, one degree.
    assert chi_square(Counter(a=50, b=50), Counter(a=30, b=70)) == pytest.approx(0.00389, abs=1e-4)
    assert chi_square(Counter(a=50), Counter(a=90)) == 1.0
    same = Counter(range(100))
    assert kolmogorov_smirnov(same, same) == 1.0
    # Half of one window lies where nothing of the other does: D = 0.5 of 100 and 100.
    assert kolmogorov_smirnov(same, Counter(range(50, 150))) < 1e-9
    # D = 0.19: the table's critical value for 0.05 is 0.192.
    assert kolmogorov_smirnov(same, Counter(range(19, 119))) == pytest.approx(0.05, abs=0.01)
    assert stability_index(Counter(a=500, b=500), Counter(a=500, b=500)) == 0
    assert stability_index(Counter(a=500, b=500), Counter(a=300, b=700)) == pytest.approx(
        0.1689, abs=2e-3
    )


def a_window(chance, calls, *, length=6.0, german=0.2, stopped=0.02):
    return Window(
        ordered={
            "question length": Counter(round(chance.gauss(length, 1) * 4) for _ in range(calls))
        },
        named={
            "language": Counter("de" if chance.random() < german else "en" for _ in range(calls))
        },
        shares={"stopped": (sum(chance.random() < stopped for _ in range(calls)), calls)},
    )


def drifted(reference, current):
    return {one.measure for one in compared(reference, current) if one.drifted}


def test_what_changed_is_found_and_named_and_what_did_not_is_not():
    chance = random.Random(1815)
    reference = a_window(chance, 2000)
    assert drifted(reference, a_window(chance, 500)) == set()
    assert drifted(reference, a_window(chance, 500, length=6.6)) == {"question length"}
    assert drifted(reference, a_window(chance, 500, german=0.4)) == {"language"}
    assert drifted(reference, a_window(chance, 500, stopped=0.09)) == {"stopped"}


def test_few_calls_say_nothing_and_many_do_not_make_a_trifle_matter():
    chance = random.Random(1815)
    reference = a_window(chance, 2000)
    assert compared(reference, a_window(chance, 199, length=9)) == []
    many, shifted = a_window(chance, 60_000), a_window(chance, 60_000, length=6.1, german=0.22)
    readings = compared(many, shifted)
    assert {one.measure for one in readings if one.adjusted < 0.01} >= {
        "question length",
        "language",
    }
    assert not any(one.drifted for one in readings)


def test_several_measures_share_one_chance_of_error():
    readings = compared(
        Window(shares={f"criterion {n}": (50, 100) for n in range(10)}),
        Window(shares={f"criterion {n}": (69 if n == 0 else 50, 100) for n in range(10)}),
    )
    first = readings[0]
    assert first.p_value < 0.01 < first.adjusted == pytest.approx(10 * first.p_value)
    assert not first.drifted
