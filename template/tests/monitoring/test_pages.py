"""The same numbers, to look at."""

import pytest

from app.monitoring import judge_work
from tests.asking import browser  # noqa: F401 the one who asks
from tests.factories import make_user
from tests.monitoring.conftest import GOOD, says
from tests.pages import browser as looking  # noqa: F401 a fixture

PATHS = ("/monitoring", "/monitoring/quality")


@pytest.mark.usefixtures("believed")
async def test_what_was_asked_and_judged_is_drawn(looking, browser, model, judged, configure):  # noqa: F811
    reviewer = await make_user(
        browser.someone.organization_id, role="reviewer", display_name="Grace Hopper"
    )
    await looking.sign_in(reviewer)
    for path in PATHS:
        assert "No" in (await looking.open(path)).text
    assert "names no model" in (await looking.open(PATHS[1])).text
    model.behaviour = says("It lies in Nottinghamshire.")
    judged(GOOD | {"form": False})
    await browser.ask(await browser.new(), "Where is Ada Lovelace's grave?")
    await judge_work.run()

    page = await looking.open(PATHS[0])
    assert "Seconds until the first word, half of all" in page.text
    assert "assistant 1 1 0 0 0 0 0" in page.text
    page = await looking.open(f"{PATHS[1]}?days=7")
    assert "assistant.system, version" in page.text
    assert "100 % 21 to 100 %, of 1" in page.text
    assert "0 % 0 to 79 %, of 1" in page.text
    assert "Lovelace" not in page.text
    assert "Nottinghamshire" not in page.text
    assert (await looking.open(f"{PATHS[1]}?days=8")).status == 422
