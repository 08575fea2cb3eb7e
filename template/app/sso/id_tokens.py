"""Whether an ID token is the provider's, for us, for this sign-in, and of this moment."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from app.core.clock import now
from app.core.crypto import same
from app.core.errors import Forbidden
from app.core.logging import log
from app.sso import discovery
from app.sso.discovery import Metadata
from app.sso.providers import Provider

# Signatures by a private key only: with HMAC our public knowledge of a key would make tokens.
ALGORITHMS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
}
LEEWAY = 60
OLDEST = 600
TOKEN_CHARACTERS = 20_000


class SignInRefused(Forbidden):
    """Said in one sentence, whatever was wrong; the log knows more."""

    def __init__(self, provider: Provider, reason: str) -> None:
        super().__init__(f"The sign-in with {provider.label} did not succeed. Please start again.")
        log.warning("sso.refused", provider=provider.name, reason=reason)


async def verify(
    provider: Provider,
    found: Metadata,
    token: object,
    *,
    nonce: str,
    access_token: str | None,
    logged_in_since: float | None = None,
) -> dict[str, Any]:
    """The claims of a good token. Raises `SignInRefused`.

    With `logged_in_since` the person must have signed in at the provider after that time.
    """
    if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS or token.count(".") != 2:
        raise SignInRefused(provider, "no token")
    claims = await _signed(provider, found, token)
    if problem := _wrong(provider, claims, nonce, access_token, _hash_of(token)):
        raise SignInRefused(provider, problem)
    if logged_in_since is not None:
        at = _number(claims.get("auth_time"))
        if at is None or at < logged_in_since - LEEWAY:
            raise SignInRefused(provider, "auth_time")
    return claims


async def _signed(provider: Provider, found: Metadata, token: str) -> dict[str, Any]:
    # 130 ms, and most processes never need it before the first sign-in.
    from joserfc import jwk, jwt
    from joserfc.errors import JoseError

    header = _header(token)
    algorithm, key_id = header.get("alg"), header.get("kid")
    kind = ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    if kind is None or algorithm not in found.algorithms:
        raise SignInRefused(provider, "alg")
    if key_id is not None and not isinstance(key_id, str):
        raise SignInRefused(provider, "kid")
    known = await discovery.keys(provider, found.jwks_uri, key_id)
    fitting = [
        key
        for key in known
        if key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (key_id is None or key.get("kid") == key_id)
    ]
    # Without a name there must be no choice.
    if len(fitting) != 1:
        raise SignInRefused(provider, "kid")
    try:
        key = jwk.import_key(fitting[0])
        if kind == "RSA" and key.public_key.key_size < 2048:  # type: ignore[union-attr]
            raise SignInRefused(provider, "short key")
        return dict(jwt.decode(token, key, algorithms=[str(algorithm)]).claims)
    except (JoseError, ValueError, TypeError) as error:
        raise SignInRefused(provider, type(error).__name__) from error


def _header(token: str) -> Mapping[str, Any]:
    head = token.partition(".")[0]
    try:
        header = orjson.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def _hash_of(token: str) -> str:
    """The hash that the token's algorithm ends with; `at_hash` takes the same."""
    return f"sha{str(_header(token)['alg'])[-3:]}"


def _wrong(
    provider: Provider,
    claims: Mapping[str, Any],
    nonce: str,
    access_token: str | None,
    hash_name: str,
) -> str:
    """The claim that does not fit; empty when all do."""
    moment = now().timestamp()
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    subject, issuer = claims.get("sub"), claims.get("iss")
    if not isinstance(issuer, str) or not provider.may_be(issuer, claims.get("tid")):
        return "iss"
    if provider.client_id not in audiences:
        return "aud"
    # For several audiences, or when it is named, the one it was issued to must be us.
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != provider.client_id:
        return "azp"
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        return "sub"
    expires, issued = _number(claims.get("exp")), _number(claims.get("iat"))
    if expires is None or expires < moment - LEEWAY:
        return "exp"
    if issued is None or not moment - OLDEST - LEEWAY <= issued <= moment + LEEWAY:
        return "iat"
    starts = _number(claims.get("nbf", 0))
    if starts is None or starts > moment + LEEWAY:
        return "nbf"
    if not isinstance(claims.get("nonce"), str) or not same(claims["nonce"], nonce):
        return "nonce"
    if "at_hash" in claims:
        expected = _left_half(access_token or "", hash_name)
        if not isinstance(claims["at_hash"], str) or not same(claims["at_hash"], expected):
            return "at_hash"
    return ""


def _number(value: object) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number else None  # type: ignore[return-value]


def _left_half(text: str, hash_name: str) -> str:
    digest = hashlib.new(hash_name, text.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
