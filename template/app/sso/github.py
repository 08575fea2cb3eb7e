"""GitHub: OAuth 2 with an API that tells who it was and which addresses are confirmed."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.core.outbound import Answer, OutboundFailed
from app.sso import discovery
from app.sso.attempts import Attempt
from app.sso.id_tokens import SignInRefused
from app.sso.providers import Provider


@dataclass(frozen=True)
class Account:
    subject: str
    name: object
    email: object
    """The primary address when GitHub has it confirmed, else None."""


def authorization_url(provider: Provider, attempt: Attempt) -> str:
    asked = {
        "client_id": provider.client_id,
        "redirect_uri": provider.redirect_uri,
        "scope": "read:user user:email",
        "state": attempt.state,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    return f"{provider.issuer}/login/oauth/authorize?{urlencode(asked)}"


async def account(provider: Provider, attempt: Attempt, code: str) -> Account:
    """Raises `SignInRefused` or `ProviderUnavailable`."""
    answer = await discovery.call(
        provider,
        "POST",
        f"{provider.issuer}/login/oauth/access_token",
        form={
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "code": code,
            "redirect_uri": provider.redirect_uri,
            "code_verifier": attempt.verifier,
        },
    )
    tokens = _json(provider, answer)
    token = tokens.get("access_token") if isinstance(tokens, dict) else None
    if not isinstance(token, str):
        raise SignInRefused(provider, "no access token")
    user, emails = (
        await _read(provider, "/user", token),
        await _read(provider, "/user/emails", token),
    )
    # The number stays; the login can be given up and taken by another.
    number = user.get("id") if isinstance(user, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(emails, list):
        raise SignInRefused(provider, "no user")
    primary = [
        one.get("email")
        for one in emails
        if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True
    ]
    return Account(str(number), user.get("name"), primary[0] if primary else None)


async def _read(provider: Provider, path: str, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "sign-in"}
    address = provider.api_url + path
    return _json(provider, await discovery.call(provider, "GET", address, headers=headers))


def _json(provider: Provider, answer: Answer) -> Any:
    try:
        if answer.status == 200:
            return answer.json()
    except OutboundFailed:
        pass
    raise SignInRefused(provider, f"answer {answer.status}")
