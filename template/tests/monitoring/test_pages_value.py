"""The page of what answers are worth."""

from tests.monitoring.test_value import asks, team  # noqa: F401 fixtures
from tests.pages import browser as looking  # noqa: F401 a fixture


async def test_the_page_says_what_it_assumes(team, asks, looking):  # noqa: F811
    _, admin = team
    await looking.sign_in(admin)
    assert "No task" in (await looking.open("/monitoring/value")).text
    await asks(1, 0)
    page = await looking.open("/monitoring/value?days=7")
    assert "100 % of 1, 95 %: 21 to 100 %" in page.text
    assert "assumed: 5 minutes for each solved task" in page.text
