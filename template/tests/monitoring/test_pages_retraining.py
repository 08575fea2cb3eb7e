"""The page of what data says about retraining."""

from app.monitoring import deciding
from tests.factories import make_user
from tests.monitoring.test_retraining import correct, prompt, provider  # noqa: F401 fixtures
from tests.pages import browser as looking  # noqa: F401 a fixture
from tests.prompts.conftest import seeded as seeded


async def test_the_page_shows_the_numbers_and_asks(looking, operators, prompt, provider):  # noqa: F811
    name, _ = prompt
    await looking.sign_in(await make_user(operators, role="admin"), second_factor=True)
    await correct(operators, name, 30)
    await deciding.decide()
    page = await looking.open("/monitoring/retraining")
    assert "30 new corrections, 25 are enough." in page.text
    form = next(one.action for one in page.forms if one.action.endswith("/drop"))
    dropped = await page.send(form)
    assert "Dropped" in dropped.text
    assert provider.files == {}
