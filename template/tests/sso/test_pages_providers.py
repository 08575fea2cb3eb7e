"""Providers as they are in the wild."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.auth.next_pages import home
from app.core.settings import UnsafeSettings, refuse_unsafe
from app.sso import providers
from tests.conftest import free_port
from tests.factories import make_user
from tests.sso.conftest import asked, come_back, leave, sign_in
from tests.sso.issuer import someone
from tests.sso.test_pages_sign_in import rows

TENANT = "6f1c3f0a-4d5e-4b7a-9d57-0b5f6a0c1d2e"
OTHER_TENANT = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
async def mock(configure) -> AsyncIterator[str]:
    """oidc-provider-mock, a provider that others wrote, in a process of its own."""
    port = free_port()
    arguments = ("-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "-n", "true")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient() as client:
        for _ in range(600):
            try:
                await client.get(url)
                break
            except httpx2.TransportError:
                await asyncio.sleep(0.1)
    configure(
        SSO_PROVIDERS__MOCK__ISSUER=url,
        SSO_PROVIDERS__MOCK__CLIENT_ID="us",
        SSO_PROVIDERS__MOCK__CLIENT_SECRET="secret",
        SSO_PROVIDERS__MOCK__LABEL="The Mock",
    )
    yield url
    process.terminate()
    await process.wait()


async def test_a_provider_that_others_wrote(browser, mock):
    person = someone()
    page = await browser.open("/sign-in")
    assert "Sign in with The Mock" in page.text
    address = await leave(browser, "mock")

    async with httpx2.AsyncClient() as there:
        claims = {name: value for name, value in person.items() if name != "sub"}
        await there.put(f"{mock}/users/{person['sub']}", json=claims)
        answer = await there.post(address, data={"sub": person["sub"]})
        assert answer.status_code == 302, answer.text
        query = answer.headers["location"].partition("?")[2]
        page = await come_back(browser, query, "mock")
        assert page.path == home()
        assert person["email"] in (await browser.open("/account")).text


async def test_an_address_that_only_userinfo_tells(browser, issuer):
    person = someone()
    issuer.person = {"sub": person["sub"]}
    issuer.userinfo = person

    assert (await sign_in(browser, issuer)).path == home()

    assert person["email"] in (await browser.open("/account")).text


async def test_a_provider_that_takes_the_secret_in_the_form(browser, issuer):
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    issuer.person = someone()

    assert (await sign_in(browser, issuer)).path == home()

    assert issuer.authenticated_by == "form"


async def test_the_secret_arrives_whole_in_the_header(browser, issuer):
    issuer.person = someone()
    await sign_in(browser, issuer)
    assert issuer.authenticated_by == "header"


# GitHub ------------------------------------------------------------------------------------------


@pytest.fixture
def github(issuer, configure):
    configure(
        SSO_PROVIDERS__GITHUB__ISSUER=issuer.url,
        SSO_PROVIDERS__GITHUB__API_URL=f"{issuer.url}/api",
        SSO_PROVIDERS__GITHUB__CLIENT_ID="us",
        SSO_PROVIDERS__GITHUB__CLIENT_SECRET="secret",
    )
    return issuer


def octocat(**first):
    email = someone()["email"]
    number = int(re.sub(r"\D", "", email)[:9] or 7)
    return {
        "user": {
            "id": number,
            "login": "octocat",
            "name": "Octo Cat",
            "email": "public@example.com",
        },
        "emails": [
            {"email": "old@example.com", "primary": False, "verified": True},
            {"email": email, "primary": True, "verified": True} | first,
        ],
    }


async def test_github_with_the_primary_address_that_it_confirmed(browser, github):
    github.person = octocat()
    address = await leave(browser, "github")
    assert asked(address)["scope"] == "read:user user:email"
    assert asked(address)["code_challenge_method"] == "S256"

    page = await come_back(browser, github.approve(address), "github")

    assert page.path == home()
    email = github.person["emails"][1]["email"]
    [identity] = await rows(
        "SELECT i.* FROM sso_identities i JOIN users u ON u.id = i.user_id WHERE u.email = :e",
        e=email,
    )
    assert identity.subject == str(github.person["user"]["id"])


@pytest.mark.parametrize("first", [{"verified": False}, {"verified": None}, {"primary": False}])
async def test_github_with_an_address_that_it_did_not_confirm(browser, github, first):
    github.person = octocat(**first)
    page = await sign_in(browser, github, "github")
    assert "does not confirm your e-mail address" in page.text


@pytest.mark.parametrize("number", [None, True, "7"])
async def test_github_that_does_not_say_who_it_is(browser, github, number):
    github.person = octocat()
    github.person["user"]["id"] = number
    assert "did not succeed" in (await sign_in(browser, github, "github")).text


@pytest.mark.asvs("10.5.2")
async def test_a_login_that_changed_hands_at_github_is_another_person(browser, github, new_browser):
    github.person = octocat()
    await sign_in(browser, github, "github")
    email = github.person["emails"][1]["email"]
    github.person = octocat()
    github.person["user"]["id"] += 1  # the same login

    async with new_browser() as client:
        other = type(browser)(client)
        assert (await sign_in(other, github, "github")).path == home()
        assert email not in (await other.open("/account")).text


async def test_github_cannot_ask_again_who_it_is(browser, github):
    ada = await make_user()
    await browser.sign_in(ada)
    token = (await browser.client.get("/api/auth/session")).headers["X-CSRF-Token"]
    answer = await browser.client.post(
        "/api/sso/providers/github/confirm", headers={"X-CSRF-Token": token}
    )
    assert answer.status_code == 404


# Microsoft ---------------------------------------------------------------------------------------


@pytest.fixture
def microsoft(issuer, configure):
    """Every tenant is an issuer of its own; discovery names them by a template."""
    issuer.metadata = {"issuer": f"{issuer.url}/{{tenantid}}/v2.0"}
    configure(
        SSO_PROVIDERS__MICROSOFT__ISSUER=f"{issuer.url}/{{tenantid}}/v2.0",
        SSO_PROVIDERS__MICROSOFT__CLIENT_ID="us",
        SSO_PROVIDERS__MICROSOFT__CLIENT_SECRET=issuer.secret,
    )
    return issuer


def of_tenant(issuer, tenant: str, **more):
    # Entra never says email_verified; xms_edov says that the domain's owner was checked.
    said = {"iss": f"{issuer.url}/{tenant}/v2.0", "tid": tenant, "email_verified": None}
    return someone(xms_edov=True) | said | more


async def test_any_tenant_of_microsoft_when_none_is_named(browser, microsoft):
    microsoft.person = of_tenant(microsoft, TENANT)

    page = await sign_in(browser, microsoft, "microsoft")

    assert page.path == home()
    assert microsoft.asked[0] == "/organizations/v2.0/.well-known/openid-configuration"
    assert await rows(
        "SELECT 1 FROM sso_identities WHERE issuer = :i", i=f"{microsoft.url}/{TENANT}/v2.0"
    )


async def test_only_the_tenants_that_are_named(browser, microsoft, configure):
    configure(SSO_PROVIDERS__MICROSOFT__TENANTS=TENANT.upper())
    microsoft.person = of_tenant(microsoft, OTHER_TENANT)
    assert "did not succeed" in (await sign_in(browser, microsoft, "microsoft")).text

    microsoft.person = of_tenant(microsoft, TENANT)
    assert (await sign_in(browser, microsoft, "microsoft")).path == home()


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": OTHER_TENANT},
        {"tid": None},
        {"tid": "../../evil"},
        {"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"},
    ],
    ids=str,
)
async def test_tenant_and_issuer_must_fit_each_other(browser, microsoft, claims):
    microsoft.person = of_tenant(microsoft, TENANT, **claims)
    assert "did not succeed" in (await sign_in(browser, microsoft, "microsoft")).text


async def test_one_tenant_is_an_issuer_like_any_other(browser, microsoft, configure):
    configure(SSO_PROVIDERS__MICROSOFT__TENANT=TENANT)
    microsoft.metadata = {"issuer": f"{microsoft.url}/{TENANT}/v2.0"}
    microsoft.person = of_tenant(microsoft, TENANT)
    assert (await sign_in(browser, microsoft, "microsoft")).path == home()
    assert microsoft.asked[0].startswith(f"/{TENANT}/")

    await (await browser.open("/account")).send("/sign-out")
    microsoft.person = of_tenant(microsoft, OTHER_TENANT)
    assert "did not succeed" in (await sign_in(browser, microsoft, "microsoft")).text


async def test_an_address_of_microsoft_s_that_nobody_checked(browser, microsoft):
    """Any tenant's administrator may write any address into it."""
    victim = await make_user()
    microsoft.person = of_tenant(microsoft, TENANT, email=victim.email, xms_edov=None)
    page = await sign_in(browser, microsoft, "microsoft")
    assert "does not confirm your e-mail address" in page.text


@pytest.mark.asvs("10.5.2")
async def test_no_tenant_decides_about_a_domain_where_all_tenants_may_sign_in(
    browser, microsoft, configure
):
    victim = await make_user()
    configure(SSO_PROVIDERS__MICROSOFT__DOMAINS="example.com")
    microsoft.person = of_tenant(microsoft, OTHER_TENANT, email=victim.email, xms_edov=None)
    assert "does not confirm" in (await sign_in(browser, microsoft, "microsoft")).text
    microsoft.person |= {"xms_edov": True}
    assert (
        "account with your e-mail address already"
        in (await sign_in(browser, microsoft, "microsoft")).text
    )

    configure(SSO_PROVIDERS__MICROSOFT__TENANTS=OTHER_TENANT)
    assert (await sign_in(browser, microsoft, "microsoft")).path == home()


async def test_google_decides_for_accounts_of_the_domain_only(browser, issuer, configure):
    """A personal account may bear an address that was given to somebody else since."""
    victim = await make_user()
    configure(
        SSO_PROVIDERS__GOOGLE__ISSUER=issuer.url,
        SSO_PROVIDERS__GOOGLE__CLIENT_ID="us",
        SSO_PROVIDERS__GOOGLE__CLIENT_SECRET=issuer.secret,
        SSO_PROVIDERS__GOOGLE__DOMAINS="example.com",
    )
    for claims in ({}, {"hd": "elsewhere.example"}):
        issuer.person = someone(email=victim.email, **claims)
        assert (await sign_in(browser, issuer, "google")).path == "/sign-in"
    issuer.person |= {"hd": "example.com"}
    assert (await sign_in(browser, issuer, "google")).path == home()


# Settings ----------------------------------------------------------------------------------------


def test_the_known_ones_need_an_id_and_a_secret_only(configure):
    for name in ("GOOGLE", "MICROSOFT", "GITHUB"):
        configure(
            **{
                f"SSO_PROVIDERS__{name}__CLIENT_ID": "id",
                f"SSO_PROVIDERS__{name}__CLIENT_SECRET": "secret",
            }
        )
    found = {one.name: one for one in providers.configured()}
    assert found["google"].issuer == "https://accounts.google.com"
    assert found["google"].label == "Google"
    assert found["github"].label == "GitHub"
    assert "organizations" in found["microsoft"].discovery
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ACME__ISSUER": "http://acme.example"}, "ACME__ISSUER must start with https://"),
        ({"ACME__LABEL": "Acme"}, "ACME__ISSUER must be set"),
        ({"GOOGLE__CLIENT_SECRET": ""}, "GOOGLE__CLIENT_ID and CLIENT_SECRET must be set"),
        ({"A-B__ISSUER": "https://acme.example"}, "a name has up to 30 of a-z"),
        ({"MICROSOFT__DOMAINS": "acme.example"}, "MICROSOFT__DOMAINS needs"),
    ],
)
def test_production_says_what_is_wrong(configure, values, sentence):
    [name] = {key.partition("__")[0] for key in values}
    both = {f"{name}__CLIENT_ID": "id", f"{name}__CLIENT_SECRET": "secret"} | values
    configure(APP_ENV="production", **{f"SSO_PROVIDERS__{key}": both[key] for key in both})
    with pytest.raises(UnsafeSettings, match=re.escape(sentence)):
        refuse_unsafe()


async def test_administrators_see_what_is_set_up_and_whether_it_answers(
    browser, issuer, other_issuer
):
    await browser.sign_in(await make_user(role="admin"))
    other_issuer.broken = True

    page = await browser.open("/admin/sso")

    assert "Acme Answers" in page.text
    assert "Evil Does not answer" in page.text
    assert "https://testserver/sso/acme/callback" in page.text
    assert issuer.secret not in page.html


async def test_without_providers_there_are_no_buttons(browser, configure):
    page = await browser.open("/sign-in")
    assert "/sign-in/sso/" not in page.html
    await browser.sign_in(await make_user(role="admin"))
    assert "Connected sign-ins" not in (await browser.open("/account/security")).text
    assert "No provider is set up" in (await browser.open("/admin/sso")).text
