import pytest

from app.limits.rates import Rate


@pytest.mark.parametrize(
    "values", [{"count": 0}, {"count": 5, "seconds": 0}, {"count": 4, "lease": 3}]
)
def test_an_impossible_rate_is_refused(values):
    with pytest.raises(ValueError, match=r"\w"):
        Rate(**values)


def test_a_rate_is_said_by_the_minute_or_by_any_time():
    assert Rate(per_minute=30) == Rate(30, 60)
    assert Rate(30, 60, burst=5).depth == 5
