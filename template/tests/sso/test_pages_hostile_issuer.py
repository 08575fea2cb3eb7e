"""A provider, or someone between, that signs wrong things: none of it makes a session."""

import time
from datetime import timedelta

import pytest

from app.auth.next_pages import home
from app.sso import discovery
from tests.sso.conftest import asked, come_back, leave, sign_in
from tests.sso.issuer import KEYS, someone
from tests.sso.test_pages_sign_in import rows, sessions_of


async def refused(browser, issuer, **more) -> None:
    issuer.person = issuer.person or someone()
    page = await sign_in(browser, issuer, **more)
    assert page.path == "/sign-in", page.path
    assert "did not succeed" in page.text
    assert await sessions_of(issuer.person.get("email", "")) == []
    assert await rows("SELECT 1 FROM sso_identities WHERE issuer = :i", i=issuer.url) == []


@pytest.mark.asvs("6.8.2", "9.1.1", "9.1.2")
@pytest.mark.parametrize("forge", ["none", "hmac", "tampered"])
async def test_a_forged_signature(browser, issuer, forge):
    issuer.forge = forge
    # It even announces the algorithms that it should not.
    issuer.metadata = {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
    await refused(browser, issuer)


@pytest.mark.asvs("6.8.2")
async def test_a_signature_by_a_key_that_is_not_published(browser, issuer):
    issuer.key = KEYS[1]
    await refused(browser, issuer)


async def test_a_key_that_goes_by_the_name_of_another(browser, issuer):
    issuer.key, issuer.header = KEYS[1], {"kid": KEYS[0].kid}
    await refused(browser, issuer)


async def test_a_token_without_a_key_s_name_where_there_are_several(browser, issuer):
    issuer.published, issuer.header = [KEYS[0], KEYS[1]], {"kid": None}
    await refused(browser, issuer)


@pytest.mark.asvs("9.1.2")
async def test_an_algorithm_that_the_provider_does_not_announce(browser, issuer):
    issuer.metadata = {"id_token_signing_alg_values_supported": ["ES256"]}
    await refused(browser, issuer)


@pytest.mark.asvs("9.1.3")
async def test_a_header_that_brings_its_own_key(browser, issuer):
    issuer.key = KEYS[1]
    issuer.header = {"jwk": KEYS[1].as_dict(private=False), "kid": None}
    await refused(browser, issuer)


def as_of_now(claims):
    """Times from now: a test may run long after it was collected."""
    return {
        name: int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in claims.items()
    }


@pytest.mark.asvs("9.2.1", "9.2.2", "9.2.3", "10.5.4")
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody-else"},
        {"aud": ["us", "somebody-else"]},  # and no azp
        {"aud": ["us", "somebody-else"], "azp": "somebody-else"},
        {"azp": "somebody-else"},
        {"aud": None},
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": timedelta(hours=1)},
        {"iat": timedelta(hours=-1)},
        {"nbf": timedelta(hours=1)},
        {"at_hash": "c29tZXRoaW5nIGVsc2U"},
        {"sub": None},
        {"sub": ""},
        {"sub": 42},
        {"sub": "x" * 256},
    ],
    ids=str,
)
async def test_a_claim_that_does_not_fit(browser, issuer, claims):
    issuer.says = as_of_now(claims)
    await refused(browser, issuer)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["us"]},
        {"aud": ["us", "another"], "azp": "us"},
        {"exp": timedelta(seconds=-30)},  # clocks differ a little
        {"iat": timedelta(seconds=30)},
        {"at_hash": None},
    ],
    ids=str,
)
async def test_what_is_unusual_and_right_is_taken(browser, issuer, claims):
    issuer.person, issuer.says = someone(), as_of_now(claims)
    assert (await sign_in(browser, issuer)).path == home()


@pytest.mark.asvs("10.5.1")
async def test_a_token_of_an_earlier_sign_in(browser, issuer):
    """Replayed, it carries the nonce of that one."""
    issuer.person = someone()
    query = issuer.approve(await leave(browser))
    await come_back(browser, query)
    before = len(await sessions_of(issuer.person["email"]))
    await (await browser.open("/account")).send("/sign-out")
    first = asked(await leave(browser))["nonce"]

    issuer.says = {"nonce": first}
    page = await sign_in(browser, issuer)

    assert page.path == "/sign-in"
    assert len(await sessions_of(issuer.person["email"])) == before


@pytest.mark.asvs("10.1.2")
async def test_a_code_of_somebody_else(browser, issuer, new_browser):
    """Injected into one's own answer it does not fit the verifier."""
    issuer.person = someone()
    async with new_browser() as client:
        theirs = issuer.approve(await leave(type(browser)(client)))
    code = dict(part.split("=") for part in theirs.split("&"))["code"]
    state = asked(await leave(browser))["state"]

    page = await come_back(browser, f"code={code}&state={state}")

    assert page.path == "/sign-in"
    assert await sessions_of(issuer.person["email"]) == []


@pytest.mark.asvs("10.2.2")
async def test_an_answer_of_one_provider_at_the_address_of_another(browser, issuer, other_issuer):
    """Mix-up: the honest provider's code must not be carried to the other one."""
    issuer.person = someone()
    query = issuer.approve(await leave(browser, "acme"))

    page = await come_back(browser, query, "evil")

    assert "another browser" in page.text
    assert "/token" not in other_issuer.asked


@pytest.mark.asvs("10.2.2")
async def test_an_answer_that_names_another_issuer(browser, issuer, other_issuer):
    issuer.person = someone()
    query = issuer.approve(await leave(browser), iss=other_issuer.url)

    page = await come_back(browser, query)

    assert page.path == "/sign-in"
    assert "/token" not in issuer.asked
    assert await sessions_of(issuer.person["email"]) == []


async def test_an_answer_must_name_its_issuer_where_that_was_announced(browser, issuer):
    issuer.metadata = {"authorization_response_iss_parameter_supported": True}
    issuer.person = someone()
    assert (await sign_in(browser, issuer)).path == "/sign-in"

    query = issuer.approve(await leave(browser), iss=issuer.url)
    assert (await come_back(browser, query)).path == home()


@pytest.mark.asvs("6.8.1")
async def test_an_identity_of_another_issuer_with_the_same_subject(browser, issuer, other_issuer):
    issuer.person = someone(sub="1")
    await sign_in(browser, issuer)
    await (await browser.open("/account")).send("/sign-out")

    other_issuer.person = someone(sub="1")
    await sign_in(browser, other_issuer, "evil")

    assert other_issuer.person["email"] in (await browser.open("/account")).text


async def test_userinfo_of_somebody_else(browser, issuer):
    issuer.person = someone(email=None, email_verified=None)
    issuer.userinfo = {"sub": "another", "email": "ada@example.com", "email_verified": True}
    page = await sign_in(browser, issuer)
    assert page.path == "/sign-in"
    assert "did not succeed" in page.text


@pytest.mark.asvs("10.5.3")
async def test_discovery_that_speaks_of_another_issuer(browser, issuer):
    issuer.metadata = {"issuer": "https://accounts.google.com"}
    page = await (await browser.open("/sign-in")).send("/sign-in/sso/acme")
    assert "does not answer" in page.text


async def test_keys_change_and_the_next_sign_in_works(browser, issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    await (await browser.open("/account")).send("/sign-out")
    # As time passes; made-up names of keys must not fetch each time.
    fetched, keys = discovery._keys[f"{issuer.url}/keys"]
    discovery._keys[f"{issuer.url}/keys"] = (fetched - 31, keys)
    issuer.key, issuer.published = KEYS[1], [KEYS[1], KEYS[2]]

    assert (await sign_in(browser, issuer)).path == home()


async def test_made_up_key_names_do_not_fetch_the_keys_again_and_again(browser, issuer):
    issuer.person, issuer.header = someone(), {"kid": "made-up"}

    for _ in range(4):
        await sign_in(browser, issuer)

    assert issuer.asked.count("/keys") == 1


async def test_keys_are_fetched_once_for_many_sign_ins(browser, issuer):
    for _ in range(3):
        issuer.person = someone()
        await sign_in(browser, issuer)
        await (await browser.open("/account")).send("/sign-out")

    assert issuer.asked.count("/keys") == 1
    assert issuer.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize("body", [b'{"keys": [' + b"1," * 400_000 + b"1]}", b"<html>", b"[]"])
async def test_keys_that_are_huge_or_nonsense(browser, issuer, body):
    issuer.person, issuer.jwks_body = someone(), body
    page = await sign_in(browser, issuer)
    assert "does not answer" in page.text
    assert await sessions_of(issuer.person["email"]) == []


async def test_a_slow_provider_is_left_alone_and_other_ways_still_work(browser, issuer, configure):
    configure(SSO_SECONDS="0.2")
    issuer.delay = 5
    page = await browser.open("/sign-in")
    for _ in range(3):
        page = await page.send("/sign-in/sso/acme")
        assert page.path == "/sign-in"
        assert "Acme does not answer at the moment" in page.text

    calls = len(issuer.asked)
    page = await page.send("/sign-in/sso/acme")

    assert "does not answer" in page.text
    assert len(issuer.asked) == calls
    assert page.has_form("/sign-in")


async def test_after_the_pause_it_is_asked_again(browser, issuer, configure):
    configure(SSO_PAUSE_SECONDS="0")
    issuer.broken = True
    for _ in range(4):
        page = await (await browser.open("/sign-in")).send("/sign-in/sso/acme")
    assert "does not answer" in page.text

    issuer.broken, issuer.person = False, someone()
    assert (await sign_in(browser, issuer)).path == home()
