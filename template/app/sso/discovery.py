"""What a provider says about itself: its addresses and its keys, kept for a while.

A provider that does not answer is left alone for some seconds, so that people hear it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from app.core import outbound
from app.core.errors import Unavailable
from app.core.logging import log
from app.core.outbound import Answer, OutboundFailed, OutboundRefused
from app.sso.providers import Provider
from app.sso.settings import SsoSettings

METADATA_SECONDS = 3600
KEYS_SECONDS = 3600
# Keys are fetched anew for a key that we do not know, but not for every token that makes one up.
UNKNOWN_KEY_SECONDS = 30
FAILURES_BEFORE_PAUSE = 3
KEYS_AT_MOST = 50
ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnavailable(Unavailable):
    def __init__(self, provider: Provider) -> None:
        super().__init__(
            f"{provider.label} does not answer at the moment. Try again soon,"
            " or sign in another way.",
            retry_after=SsoSettings.load().pause_seconds,
        )


@dataclass(frozen=True)
class Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    secret_in_body: bool
    """The client's secret goes into the form, because the provider takes no Basic header."""
    names_itself: bool
    """Answers carry `iss`; without it they are not this provider's."""
    algorithms: frozenset[str]


@dataclass
class _Health:
    failures: int = 0
    paused_until: float = 0.0


_metadata: dict[str, tuple[float, Metadata]] = {}
_keys: dict[str, tuple[float, list[dict[str, Any]]]] = {}
_health: dict[str, _Health] = {}


def forget() -> None:
    """Know nothing of any provider."""
    for known in (_metadata, _keys, _health):
        known.clear()


async def call(provider: Provider, method: str, url: str, **more: Any) -> Answer:
    """One request to a provider. Raises `ProviderUnavailable`, at once while it is left alone."""
    settings, health = SsoSettings.load(), _health.setdefault(provider.discovery, _Health())
    if monotonic() < health.paused_until:
        raise ProviderUnavailable(provider)
    try:
        answer = await outbound.request(method, url, of=settings, seconds=settings.seconds, **more)
        if answer.status >= 500:
            raise OutboundFailed(str(answer.status))
    except (OutboundFailed, OutboundRefused) as error:
        health.failures += 1
        if health.failures >= FAILURES_BEFORE_PAUSE:
            health.paused_until = monotonic() + settings.pause_seconds
            health.failures = 0
        log.warning("sso.no_answer", provider=provider.name, error=str(error))
        raise ProviderUnavailable(provider) from error
    health.failures = 0
    return answer


async def metadata(provider: Provider) -> Metadata:
    """The provider's addresses. Raises `ProviderUnavailable`."""
    known = _metadata.get(provider.discovery)
    if known and monotonic() - known[0] < METADATA_SECONDS:
        return known[1]
    answer = await call(provider, "GET", provider.discovery)
    try:
        found = _read(provider, answer.json())
    except (OutboundFailed, OutboundRefused, KeyError, TypeError, ValueError) as error:
        log.error("sso.bad_discovery", provider=provider.name, error=str(error))
        raise ProviderUnavailable(provider) from error
    _metadata[provider.discovery] = (monotonic(), found)
    return found


def _read(provider: Provider, document: Mapping[str, Any]) -> Metadata:
    if document["issuer"] != provider.issuer:
        raise ValueError("another issuer")
    addresses = {
        name: str(document[name])
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    addresses["userinfo_endpoint"] = str(document.get("userinfo_endpoint", ""))
    for name, address in addresses.items():
        if name == "authorization_endpoint":
            outbound.check_form(address)  # browsers go there, we do not
        elif address:
            outbound.check(address, of=SsoSettings.load())
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        **addresses,
        secret_in_body="client_secret_basic" not in methods,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        algorithms=frozenset(document.get("id_token_signing_alg_values_supported", ["RS256"])),
    )


async def keys(provider: Provider, uri: str, key_id: str | None) -> list[dict[str, Any]]:
    """The provider's public keys, fetched anew when `key_id` is not among those we know."""
    fetched, known = _keys.get(uri, (0.0, []))
    age = monotonic() - fetched
    unknown = key_id is not None and all(key.get("kid") != key_id for key in known)
    if not known or age > KEYS_SECONDS or (unknown and age > UNKNOWN_KEY_SECONDS):
        answer = await call(provider, "GET", uri)
        try:
            known = [key for key in answer.json()["keys"] if isinstance(key, dict)][:KEYS_AT_MOST]
        except (OutboundFailed, KeyError, TypeError) as error:
            log.error("sso.bad_keys", provider=provider.name)
            raise ProviderUnavailable(provider) from error
        _keys[uri] = (monotonic(), known)
    return known
