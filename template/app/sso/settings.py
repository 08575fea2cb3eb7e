import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from app.core.outside import Outside
from app.core.settings import ModuleSettings
from app.users.schemas import mail_domain

NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
TENANT = "{tenantid}"
TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ISSUERS = {
    "google": "https://accounts.google.com",
    "microsoft": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "github": "https://github.com",
}
# Where their discovery documents lead beside the issuer's own host.
HOSTS = {
    "google": "oauth2.googleapis.com www.googleapis.com openidconnect.googleapis.com",
    "microsoft": "graph.microsoft.com",
}


def words(text: str) -> frozenset[str]:
    """What stands in a setting between commas or spaces."""
    return frozenset(text.replace(",", " ").split())


def _domains(text: str) -> str:
    return " ".join(sorted(mail_domain(one) for one in words(text)))


class ProviderSettings(BaseModel):
    """One provider, set as `SSO_PROVIDERS__<NAME>__<FIELD>`; lists with commas."""

    client_id: str
    client_secret: SecretStr
    label: str = ""
    """What people read on the button."""
    issuer: str = ""
    """Where discovery starts; google, microsoft and github know theirs."""
    tenant: str = "organizations"
    """Microsoft: the id of the tenant whose people sign in, or `organizations` for all tenants."""
    tenants: str = ""
    """Microsoft with `organizations`: only these tenants' ids."""
    domains: Annotated[str, AfterValidator(_domains)] = ""
    """Mail domains that this provider decides about: its word links accounts there. For Microsoft
    it needs `tenant` or `tenants`."""
    second_factors: str = ""
    """Values of `amr` or `acr` that count as the second factor, such as `mfa`."""
    hosts: str = ""
    """Hosts beside the issuer's own that its discovery document names for tokens and keys."""
    api_url: str = "https://api.github.com"
    """GitHub: where its API is; an Enterprise server has its own."""


class SsoSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="SSO_", env_nested_delimiter="__")

    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    """Who may vouch for people: `SSO_PROVIDERS__GOOGLE__CLIENT_ID` and so on, see docs/sso.md."""
    seconds: float = Field(default=5, gt=0, le=30)
    """How long one answer of a provider may take."""
    pause_seconds: float = 15
    """After three calls in a row without an answer a provider is left alone for so long."""

    def production_problems(self) -> list[str]:
        problems = []
        for name, provider in self.providers.items():
            where = f"SSO_PROVIDERS__{name.upper()}__"
            if not NAME.fullmatch(name):
                problems.append(f"{where}: a name has up to 30 of a-z, 0-9 and _, a letter first.")
            if not provider.client_id or not provider.client_secret.get_secret_value():
                problems.append(f"{where}CLIENT_ID and CLIENT_SECRET must be set.")
            if name not in ISSUERS and not provider.issuer:
                problems.append(f"{where}ISSUER must be set.")
            if provider.issuer and not provider.issuer.startswith("https://"):
                problems.append(f"{where}ISSUER must start with https://.")
            if provider.domains and not provider.tenants and _is_anybodys(name, provider):
                problems.append(
                    f"{where}DOMAINS needs {where}TENANT or TENANTS:"
                    " every tenant of Microsoft writes the addresses it likes."
                )
        return problems

    def outside(self) -> list[Outside]:
        return [
            Outside(
                name="Sign-in providers",
                gets="vouch for people: our client's secret and the code that a browser brought",
                setting="SSO_PROVIDERS",
                addresses=tuple(
                    address
                    for name, provider in self.providers.items()
                    for address in _addresses(name, provider)
                ),
            )
        ]


def _is_anybodys(name: str, provider: ProviderSettings) -> bool:
    """Whether every tenant of the provider may vouch."""
    template = TENANT in (provider.issuer or ISSUERS.get(name, ""))
    return template and TENANT_ID.fullmatch(provider.tenant) is None


def _addresses(name: str, provider: ProviderSettings) -> list[str]:
    issuer = provider.issuer or ISSUERS.get(name, "")
    found = [issuer.replace(TENANT, provider.tenant)] if issuer else []
    found += [f"https://{host}" for host in words(f"{provider.hosts} {HOSTS.get(name, '')}")]
    return [*found, provider.api_url] if name == "github" else found
