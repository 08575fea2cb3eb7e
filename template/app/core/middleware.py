"""What happens around every request. Plain ASGI: a layer costs microseconds."""

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import http_metrics, tracing
from app.core.errors import TooLarge
from app.core.ids import uuid7
from app.core.logging import client_address, log, request_id
from app.core.problems import problem_response
from app.core.settings import Settings
from app.core.starting import plainly

DIGITS = 18  # Python refuses to read numbers of thousands of digits.
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
HOP = re.compile(r"\[(?P<six>[0-9a-fA-F:.]+)\](:\d+)?|(?P<four>[0-9.]+):\d+")
PLAIN = re.compile(rb"(^|; )plain-")
FEATURES_OFF = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class RequestContext:
    """Give a request its id and its client's address, and write its line in the log."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.proxies = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, plainly(send))
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        # Only our own proxies may choose the id; a stranger could forge log lines with it.
        known = given if self.proxies and REQUEST_ID.fullmatch(given) else uuid7().hex
        self._trust_proxies(scope, headers)
        tokens = request_id.set(known), client_address.set((scope.get("client") or ("",))[0])
        scope.setdefault("state", {})["request_id"] = known
        start, status, first = perf_counter(), 500, 0.0
        http_metrics.began()
        span = tracing.begin("request", kind="SERVER")
        inside = tracing.current.set(span)

        async def send_with_id(message: Message) -> None:
            nonlocal status, first
            if message["type"] == "http.response.start":
                status, first = message["status"], perf_counter()
                message["headers"].append((b"x-request-id", known.encode()))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            http_metrics.ended(scope, status, (first or perf_counter()) - start)
            route = scope.get("route")
            if span is not None:
                span.set_attribute("app.request_id", known)
                _end(span, scope, status)
            log.info(
                "request",
                method=scope["method"],
                # The template, not the path: paths may hold ids and tokens.
                route=getattr(route, "path", "-"),
                status=status,
                ms=round((perf_counter() - start) * 1000, 1),
            )
            request_id.reset(tokens[0])
            client_address.reset(tokens[1])
            tracing.current.reset(inside)
        return None

    def _trust_proxies(self, scope: Scope, headers: Headers) -> None:
        """Of X-Forwarded-For only the entries that our own proxies wrote are believed."""
        if not self.proxies:
            return
        hops = [part.strip() for part in ",".join(headers.getlist("x-forwarded-for")).split(",")]
        if len(hops) >= self.proxies and (address := _address(hops[-self.proxies])):
            scope["client"] = (address, 0)
        if headers.get("x-forwarded-proto") in {"http", "https"}:
            scope["scheme"] = headers["x-forwarded-proto"]


def _end(span: Any, scope: Scope, status: int) -> None:
    method, route = scope["method"], getattr(scope.get("route"), "path", "")
    span.update_name(f"{method} {route}".strip())
    told = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "url.scheme": scope["scheme"],
    }
    tracing.end(span, told, error=str(status) if status >= 500 else None)


@lru_cache(4096)
def _address(hop: str) -> str:
    """The address of an entry; some proxies write the port to it, which differs each time."""
    match = HOP.fullmatch(hop)
    try:
        return str(ip_address((match["six"] or match["four"]) if match else hop))
    except ValueError:
        return ""


class SecurityHeaders:
    """A nonce per answer; nothing else of the page may run, and nobody may frame it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.hsts = settings.public_url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["csp_nonce"] = nonce

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sources = scope["state"].get("content_sources", {})
                self._add(MutableHeaders(scope=message), nonce, sources)
            await send(message)

        await self.app(scope, receive, send_with_headers)
        return None

    def _add(self, headers: MutableHeaders, nonce: str, sources: Mapping[str, str]) -> None:
        page = headers.get("content-type", "").startswith("text/html")
        raw = headers.raw
        raw.append((b"x-content-type-options", b"nosniff"))
        if "referrer-policy" not in headers:
            raw.append((b"referrer-policy", b"same-origin"))
        raw.append((b"cross-origin-opener-policy", b"same-origin"))
        raw.append((b"cross-origin-resource-policy", b"same-origin"))
        if self.hsts:
            raw.append((b"strict-transport-security", b"max-age=63072000; includeSubDomains"))
        if page:
            policy = (
                "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self';"
                f" script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:;"
                " font-src 'self'; connect-src 'self'; manifest-src 'self'"
            )
            # What one page lets in besides, by directive: `request.state.content_sources`.
            for directive, origins in sources.items():
                before, found, after = policy.partition(f" {directive} ")
                policy = (
                    f"{before}{found}{origins} {after}"
                    if found
                    else (f"{policy}; {directive} {origins}")
                )
            raw.append((b"permissions-policy", FEATURES_OFF.encode()))
        else:
            policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        raw.append((b"content-security-policy", policy.encode()))
        if "cache-control" not in headers:
            raw.append((b"cache-control", b"no-store"))


class PlainCookies:
    """For development without TLS, or a laptop's Safari and a phone could never sign in.

    Safari keeps no Secure cookie from http://localhost; from elsewhere no browser keeps one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["scheme"] == "https":
            return await self.app(scope, receive, send)
        scope["headers"] = [
            (name, PLAIN.sub(rb"\1__Host-", value) if name == b"cookie" else value)
            for name, value in scope["headers"]
        ]

        async def send_plain(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self._plain(value) if name == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self.app(scope, receive, send_plain)
        return None

    def _plain(self, cookie: bytes) -> bytes:
        if not cookie.startswith(b"__Host-"):
            return cookie
        return (b"plain-" + cookie.removeprefix(b"__Host-")).replace(b"; Secure", b"")


class BodyLimit:
    """Refuse bodies over the limit, also those that do not tell their length.

    `larger` are paths whose bodies may be larger, when the request can be told from a stranger's
    before its body is read.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, larger: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.usual = settings.body_limit_bytes
        self.larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        limit = self.usual
        if "x-csrf-token" in headers or "authorization" in headers:
            limit = self.larger.get(scope["path"], limit)
        told = headers.get("content-length", "0")
        if not told.isdecimal() or len(told) > DIGITS or int(told) > limit:
            return await problem_response(_body_refusal(limit))(scope, receive, send)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _body_refusal(limit)
            return message

        await self.app(scope, counted, send)
        return None


def _body_refusal(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {limit:,} bytes that are accepted.")
