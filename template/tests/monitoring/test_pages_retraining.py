"""The page of what data says about retraining."""

from app.monitoring import deciding
from app.monitoring.settings import TuningSettings
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


async def test_the_page_says_whose_price_is_missing(
    looking,  # noqa: F811
    operators,
    provider,  # noqa: F811
    configure,
    tmp_path,
):
    configure(LLM_PROVIDER="compatible", LLM_BASE_URL="http://127.0.0.1:1/v1", LLM_MODEL="m")
    await looking.sign_in(await make_user(operators, role="admin"), second_factor=True)
    name = f"ft:{TuningSettings.load().model}"
    assert f"put {name} into prices.toml" in (await looking.open("/monitoring/retraining")).text
    own = tmp_path / "prices.toml"
    own.write_text(f'["*"]\n"{name}" = {{ input = 1, output = 2 }}\n')
    configure(USAGE_PRICES_FILE=own)
    assert "prices.toml" not in (await looking.open("/monitoring/retraining")).text
