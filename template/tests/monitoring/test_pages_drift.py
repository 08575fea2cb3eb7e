"""The page of drift."""

import random

from app.monitoring.jobs import look_for_drift
from tests.monitoring.test_drift import no_old_calls, remember, team  # noqa: F401 fixtures
from tests.pages import browser as looking  # noqa: F401 a fixture


async def test_the_page_draws_it(team, looking):  # noqa: F811
    organization, admin, _ = team
    await looking.sign_in(admin)
    assert "200 calls in seven days" in (await looking.open("/monitoring/drift")).text
    await remember(organization, random.Random(4), guard=0.1)
    await look_for_drift()
    page = await looking.open("/monitoring/drift")
    assert "assistant: stopped has drifted" in page.text
    assert "Cohen's h by day" in page.text
