"""An identity provider of our own, over real HTTP, that can be told to lie."""

import asyncio
import hashlib
import hmac
import json
import secrets
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from time import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

KEYS = [RSAKey.generate_key(2048, {"kid": f"key-{n}", "use": "sig"}) for n in range(3)]


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def someone(**claims):
    """A person at the provider whom nobody knows here."""
    word = secrets.token_hex(6)
    return {
        "sub": f"sub-{word}",
        "email": f"grace.{word}@example.com",
        "email_verified": True,
        "name": "Grace Hopper",
    } | claims


class Issuer:
    """Whoever is `person` signs in at once; the attributes say how it lies."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {}
        self.says: dict[str, Any] = {}
        """Claims of the next tokens; None leaves one out."""
        self.key = KEYS[0]
        self.published = [KEYS[0]]
        self.header: dict[str, Any] = {}
        self.forge: str = ""
        """none, hmac or tampered: how the next token is signed."""
        self.metadata: dict[str, Any] = {}
        self.userinfo: dict[str, Any] | None = None
        self.jwks_body: bytes | None = None
        self.delay = 0.0
        self.broken = False
        self.asked: list[str] = []
        """Every path that was called."""
        self.codes: dict[str, dict[str, str]] = {}
        self.authenticated_by = ""
        """How the last client proved who it is; empty when it did not."""
        self.secret = "s3cret/with+signs"
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{base:.*}.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)
        # What GitHub has.
        app.router.add_post("/login/oauth/access_token", self._token)
        app.router.add_get("/api/user", self._github_user)
        app.router.add_get("/api/user/emails", self._github_emails)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def approve(self, address: str, **answer: str) -> str:
        """What a browser does at the provider: the query that it comes back with."""
        asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        values = {"code": code, "state": asked["state"]} | answer
        return "&".join(f"{name}={value}" for name, value in values.items() if value)

    async def _before(self, request: web.Request) -> None:
        self.asked.append(request.path)
        if self.delay:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(self.delay)
        if self.broken:
            raise web.HTTPBadGateway

    async def _discovery(self, request: web.Request) -> web.Response:
        await self._before(request)
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
            | ({"userinfo_endpoint": f"{self.url}/userinfo"} if self.userinfo is not None else {})
            | self.metadata
        )

    async def _authorize(self, request: web.Request) -> web.Response:
        """For browsers: whoever comes is `person`, and goes back at once."""
        await self._before(request)
        back = f"{request.query['redirect_uri']}?{self.approve(str(request.url))}"
        raise web.HTTPFound(back)

    async def _keys(self, request: web.Request) -> web.Response:
        await self._before(request)
        if self.jwks_body is not None:
            return web.Response(body=self.jwks_body, content_type="application/json")
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.published]})

    async def _token(self, request: web.Request) -> web.Response:
        await self._before(request)
        form = await request.post()
        # A code works once, for who asked for it, with the verifier of its challenge.
        asked = self.codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", ""))
        if (
            asked is None
            or asked["redirect_uri"] != form.get("redirect_uri")
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != b64(hashlib.sha256(verifier.encode()).digest())
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = secrets.token_urlsafe(12)
        if request.path.startswith("/login"):
            return web.json_response({"access_token": token, "token_type": "bearer"})
        # RFC 6749: both parts are encoded like form fields before they go into the header.
        good = f"{quote(asked['client_id'], safe='')}:{quote(self.secret, safe='')}"
        if "client_secret" in form:
            self.authenticated_by = "form" if form["client_secret"] == self.secret else ""
        else:
            header = f"Basic {b64encode(good.encode()).decode()}"
            given = request.headers.get("Authorization")
            self.authenticated_by = "header" if given == header else ""
        claims = {
            "iss": self.url,
            "aud": asked["client_id"],
            "iat": int(time()),
            "exp": int(time()) + 300,
            "nonce": asked["nonce"],
            "at_hash": b64(hashlib.sha256(token.encode()).digest()[:16]),
        }
        claims |= self.person | self.says
        claims = {name: value for name, value in claims.items() if value is not None}
        return web.json_response(
            {"access_token": token, "token_type": "Bearer", "id_token": self.sign(claims)}
        )

    def sign(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": self.key.kid} | self.header
        header = {name: value for name, value in header.items() if value is not None}
        if self.forge == "none":
            head, body = ({"alg": "none", "kid": self.key.kid}, claims)
            return f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}."
        if self.forge == "hmac":
            # The public key, which everybody knows, as a shared secret.
            head = b64(json.dumps(header | {"alg": "HS256"}).encode())
            signed = f"{head}.{b64(json.dumps(claims).encode())}"
            secret = self.key.as_pem(private=False)
            return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"
        token = jwt.encode(header, claims, self.key)
        if self.forge == "tampered":
            head, _, signature = token.split(".")
            lie = claims | {"sub": "somebody-else"}
            return f"{head}.{b64(json.dumps(lie).encode())}.{signature}"
        return token

    async def _userinfo(self, request: web.Request) -> web.Response:
        await self._before(request)
        assert request.headers["Authorization"].startswith("Bearer ")
        return web.json_response(self.userinfo)

    async def _github_user(self, request: web.Request) -> web.Response:
        await self._before(request)
        return web.json_response(self.person["user"])

    async def _github_emails(self, request: web.Request) -> web.Response:
        await self._before(request)
        return web.json_response(self.person["emails"])
