"""What a provider says about the person who comes back from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from email_validator import EmailNotValidError, validate_email

from app.core import outbound
from app.core.outbound import OutboundFailed
from app.sso import discovery, github, id_tokens
from app.sso.attempts import Attempt
from app.sso.discovery import Metadata
from app.sso.id_tokens import SignInRefused
from app.sso.providers import Provider
from app.users.schemas import domain_of, mail_domain, plain_address

SCOPES = "openid email profile"


@dataclass(frozen=True)
class Vouched:
    """Who it is, in the issuer's word. Only a confirmed address says anything about a mailbox."""

    issuer: str
    subject: str
    email: str | None
    email_confirmed: bool
    name: str
    second_factor: bool
    of_domain: bool = True
    """Of Google only a Workspace account is the address's; a personal one may bear it for ever."""


async def authorization_url(provider: Provider, attempt: Attempt) -> str:
    """Where the browser goes. Raises `ProviderUnavailable`."""
    if provider.github:
        return github.authorization_url(provider, attempt)
    found = await discovery.metadata(provider)
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.redirect_uri,
        "scope": SCOPES,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    if attempt.purpose == "confirm":
        asked |= {"prompt": "login", "max_age": "0"}
    return with_query(found.authorization_endpoint, asked)


def with_query(address: str, values: Mapping[str, str]) -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    return f"{address}{'&' if '?' in address else '?'}{query}"


async def redeem(
    provider: Provider, attempt: Attempt, code: str, *, issuer: str | None, since: float | None
) -> Vouched:
    """Exchange the code and verify what comes. Raises `SignInRefused` or `ProviderUnavailable`.

    `issuer` is the answer's own `iss`; with `since` the person must have signed in there after it.
    Tokens are read and forgotten.
    """
    if provider.github:
        return await _of_github(provider, attempt, code)
    found = await discovery.metadata(provider)
    check_issuer(provider, found, issuer)
    tokens = await _exchange(provider, found, attempt, code)
    access_token = tokens.get("access_token")
    access_token = access_token if isinstance(access_token, str) else None
    claims = await id_tokens.verify(
        provider,
        found,
        tokens.get("id_token"),
        nonce=attempt.nonce,
        access_token=access_token,
        logged_in_since=since,
    )
    if "email" not in claims and found.userinfo_endpoint and access_token:
        claims = await _with_userinfo(provider, found, claims, access_token)
    return _vouched(provider, claims)


def check_issuer(provider: Provider, found: Metadata, issuer: str | None) -> None:
    """RFC 9207: an answer that names another issuer was meant for somebody else's client."""
    if issuer is None:
        if found.names_itself:
            raise SignInRefused(provider, "no iss in the answer")
    elif issuer != provider.issuer:
        raise SignInRefused(provider, "another iss in the answer")


async def _exchange(
    provider: Provider, found: Metadata, attempt: Attempt, code: str
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": provider.redirect_uri,
        "code_verifier": attempt.verifier,
    }
    headers = {}
    if found.secret_in_body:
        form |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
    else:
        headers["Authorization"] = outbound.basic(
            quote(provider.client_id, safe=""), quote(provider.client_secret, safe="")
        )
    answer = await discovery.call(
        provider, "POST", found.token_endpoint, form=form, headers=headers
    )
    return _object(provider, answer, "token endpoint")


async def _with_userinfo(
    provider: Provider, found: Metadata, claims: dict[str, Any], access_token: str
) -> dict[str, Any]:
    """Some providers tell the address there only; it counts when it is of the same person."""
    answer = await discovery.call(
        provider,
        "GET",
        found.userinfo_endpoint,
        headers={"Authorization": f"Bearer {access_token}"},
    )
    more = _object(provider, answer, "userinfo")
    if more.get("sub") != claims["sub"]:
        raise SignInRefused(provider, "userinfo of somebody else")
    told = ("email", "email_verified", "name")
    return claims | {name: more[name] for name in told if name in more}


def _object(provider: Provider, answer: outbound.Answer, what: str) -> dict[str, Any]:
    try:
        body = answer.json() if answer.status == 200 else None
    except OutboundFailed:
        body = None
    if not isinstance(body, dict):
        raise SignInRefused(provider, f"{what}: {answer.status}")
    return body


def _vouched(provider: Provider, claims: Mapping[str, Any]) -> Vouched:
    email = address(claims.get("email"))
    said = claims.get("email_verified", claims.get("xms_edov"))
    if said is None:
        confirmed = email is not None and provider.decides_about(email)
    else:
        # Some write booleans as text. Who says "no" is believed, also about a domain of its own.
        confirmed = said is True or said in ("true", "1", 1)
    methods = claims.get("amr")
    methods = set(map(str, methods)) if isinstance(methods, list) else set()
    return Vouched(
        issuer=claims["iss"],
        subject=claims["sub"],
        email=email,
        email_confirmed=email is not None and confirmed,
        name=display_name(claims.get("name"), email),
        second_factor=bool((methods | {str(claims.get("acr"))}) & provider.second_factors),
        of_domain=provider.name != "google" or _hosts(claims.get("hd"), email),
    )


def _hosts(domain: object, email: str | None) -> bool:
    """Whether the address is at the Google Workspace domain that vouches for it."""
    try:
        return email is not None and mail_domain(str(domain)) == domain_of(email)
    except ValueError:
        return False


async def _of_github(provider: Provider, attempt: Attempt, code: str) -> Vouched:
    found = await github.account(provider, attempt, code)
    email = address(found.email)
    return Vouched(
        issuer=provider.issuer,
        subject=found.subject,
        email=email,
        email_confirmed=email is not None,
        name=display_name(found.name, email),
        second_factor=False,
    )


def address(given: object) -> str | None:
    """A mail address, or nothing when it is none that we could write to."""
    if not isinstance(given, str) or len(given) > 254:
        return None
    try:
        return plain_address(validate_email(given, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None


def display_name(given: object, email: str | None) -> str:
    name = " ".join(given.split()) if isinstance(given, str) else ""
    name = "".join(letter for letter in name if letter.isprintable())[:120].strip()
    return name or (email or "").partition("@")[0][:120] or "New member"
