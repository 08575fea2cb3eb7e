"""Another provider of OpenFeature answers flags of one's own; what stops models stays here."""

import pytest
from openfeature import api
from openfeature.exception import ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from app.core.errors import CannotStart
from app.flags import lifespan, provider, state, switches
from app.flags.provider import enabled
from app.flags.settings import FlagsSettings
from app.flags.switches import FeatureSwitchedOff
from tests.factories import make_user
from tests.usage.conftest import person_of

VARIANTS = {"on": True, "off": False}


def by_role(flag: InMemoryFlag, context) -> FlagResolutionDetails:
    chosen = "on" if context.attributes["role"] == "admin" else "off"
    return FlagResolutionDetails(VARIANTS[chosen], variant=chosen)


def other() -> InMemoryProvider:
    return InMemoryProvider(
        {
            "orders.new_summary": InMemoryFlag("off", VARIANTS, context_evaluator=by_role),
            "model.test": InMemoryFlag("on", VARIANTS),
        }
    )


class NotThere(InMemoryProvider):
    """Its server does not answer, so it knows nothing."""

    def __init__(self) -> None:
        super().__init__({})

    def initialize(self, _) -> None:
        raise ProviderNotReadyError


def nothing() -> object:
    return object()


@pytest.fixture
def named(configure):
    """Another one is named, and has not been asked for before."""

    def name(what: str) -> None:
        configure(FLAGS_PROVIDER=what)
        provider.client.cache_clear()

    yield name
    api.clear_providers()
    provider.client.cache_clear()


async def test_it_answers_what_code_asks_and_the_switches_stay_ours(
    client, operator, operators, named
):
    named(f"{__name__}:other")
    member = person_of(await make_user(operators, password=False))
    wanted = {"enabled": False, "reason": "It must stop."}
    assert (await client.put("/api/flags/model.test", json=wanted)).status_code == 204
    async with lifespan.lifespan():
        assert enabled("orders.new_summary", person_of(operator))
        assert not enabled("orders.new_summary", member)
        assert enabled("orders.unknown", member, default=True)
        await state.kept.refresh()
        with pytest.raises(FeatureSwitchedOff):
            await switches.check("test", organization_id=operators)


async def test_one_whose_server_is_away_stops_nobody_and_changes_nothing(app, named):
    named(f"{__name__}:NotThere")
    member = person_of(await make_user(password=False))
    async with lifespan.lifespan():
        assert not enabled("orders.new_summary", member)
        assert enabled("orders.new_summary", member, default=True)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no.such.package:Provider", "is its package installed"),
        (f"{__name__}:missing", "is its package installed"),
        (f"{__name__}:nothing", "makes no provider"),
    ],
)
async def test_what_cannot_be_had_stops_the_start(app, named, name, says):
    named(name)
    with pytest.raises(CannotStart, match=says):
        async with lifespan.lifespan():
            pass


@pytest.mark.parametrize("name", ["openfeature", "a b:c", "a.b:c()", ":c"])
def test_a_name_that_is_none_is_said_to_be(configure, name):
    configure(FLAGS_PROVIDER=name)
    with pytest.raises(ValueError, match=r"package\.module:name"):
        FlagsSettings.load()
