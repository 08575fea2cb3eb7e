"""Who may vouch for people, as the settings have it."""

from dataclasses import dataclass, field

from app.core.errors import NotFound
from app.core.settings import get_settings
from app.sso.settings import ISSUERS, TENANT, TENANT_ID, ProviderSettings, SsoSettings, words
from app.users.schemas import domain_of

LABELS = {"google": "Google", "microsoft": "Microsoft", "github": "GitHub"}


@dataclass(frozen=True)
class Provider:
    name: str
    label: str
    issuer: str
    """With `{tenantid}` in it when each tenant of the provider is an issuer of its own."""
    client_id: str
    client_secret: str = field(repr=False)
    discovery: str = ""
    tenants: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    second_factors: frozenset[str] = frozenset()
    api_url: str = ""

    @property
    def github(self) -> bool:
        """GitHub speaks OAuth without OpenID Connect."""
        return self.name == "github"

    @property
    def redirect_uri(self) -> str:
        """A path for each provider: an answer of one cannot be taken for another's."""
        return f"{get_settings().public_url}/sso/{self.name}/callback"

    def decides_about(self, email: str) -> bool:
        """Whether the settings declare the provider authoritative for the address's domain.

        Of a provider that is open to every tenant nothing is: each writes the addresses it likes.
        """
        anybodys = TENANT in self.issuer and not self.tenants
        return not anybodys and domain_of(email) in self.domains

    def may_be(self, issuer: str, tenant: object) -> bool:
        """Whether a token of this issuer is this provider's; `tenant` is the token's `tid`."""
        if TENANT not in self.issuer:
            return issuer == self.issuer
        if not isinstance(tenant, str) or not TENANT_ID.fullmatch(tenant):
            return False
        allowed = not self.tenants or tenant in self.tenants
        return allowed and issuer == self.issuer.replace(TENANT, tenant)


def configured() -> list[Provider]:
    return [_provider(*item) for item in SsoSettings.load().providers.items()]


def get(name: str) -> Provider:
    found = SsoSettings.load().providers.get(name)
    if found is None:
        raise NotFound("No such way to sign in.")
    return _provider(name, found)


def _provider(name: str, given: ProviderSettings) -> Provider:
    issuer = given.issuer or ISSUERS.get(name, "")
    base = issuer.replace(TENANT, given.tenant)
    one_tenant = TENANT_ID.fullmatch(given.tenant)
    return Provider(
        name=name,
        label=given.label or LABELS.get(name) or name.replace("_", " ").capitalize(),
        issuer=base if one_tenant else issuer,
        client_id=given.client_id,
        client_secret=given.client_secret.get_secret_value(),
        discovery=f"{base.rstrip('/')}/.well-known/openid-configuration",
        tenants=words(given.tenants.lower()),
        domains=words(given.domains),
        second_factors=words(given.second_factors),
        api_url=given.api_url.rstrip("/"),
    )


def label_of(name: str) -> str:
    """What people call it, also when it is no longer set up."""
    return next((one.label for one in configured() if one.name == name), LABELS.get(name, name))
