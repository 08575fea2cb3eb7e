"""Requests to servers that a setting or another server named: none reaches our own network.

The settings of the module that calls must declare the server (`outside()`), or nothing is sent.
The name is resolved once, every address is looked at, and the connection goes to one of those. The
last look is at the address that a socket is made for, however it came there.
Redirects are not followed; size and time have limits. A connection for each call: they are rare.
"""

import asyncio
import json
import socket
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from app.core.outside import declared
from app.core.settings import ModuleSettings, get_settings

SECONDS = 5.0
BYTES = 262_144
# Where AWS over IPv6 and Azure answer what link-local addresses answer elsewhere.
KEYS_OF_MACHINES = {ip_address("fd00:ec2::254"), ip_address("168.63.129.16")}
# They lead to an IPv4 address that stands inside them.
TUNNELS = tuple(
    map(
        ip_network,
        (
            "::/96",
            "::ffff:0:0:0/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
        ),
    )
)


class OutboundRefused(Exception):
    """An address that we do not call; nothing was sent."""


class OutboundFailed(Exception):
    """No usable answer: not reached, too slow or too large."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises `OutboundFailed` when the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise OutboundFailed("not JSON") from error


async def request(
    method: str,
    url: str,
    *,
    of: ModuleSettings,
    form: Mapping[str, str] | None = None,
    content: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    limit: int = BYTES,
) -> Answer:
    """Call a server with a `form`, JSON `content` or a ready `body`.

    Raises `OutboundRefused` or `OutboundFailed`, the first also when the settings `of` the caller
    do not declare the server. A redirect comes back as the answer it is: status 3xx.
    """
    host = check(url, of=of).hostname or ""
    inside: list[str] = []

    def new_socket(info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if _is_refused(host, str(address[0])):
            inside.append(str(address[0]))
            raise OSError("an address of a private network")
        return socket.socket(family, kind, protocol)

    connector = TCPConnector(resolver=Resolver(), socket_factory=new_socket, force_close=True)
    try:
        # One clock for all of it: a server that sends a byte a second does not hold us for long.
        async with (
            asyncio.timeout(seconds),
            ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),
                auto_decompress=False,  # the limit is for what arrives; nothing grows after it
                trust_env=False,
            ) as session,
            session.request(
                method,
                URL(url),
                data=form if body is None else body,
                json=content,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"}
                | dict(headers or {}),
                allow_redirects=False,
            ) as response,
        ):
            read = await _read(response.content, limit)
            return Answer(response.status, dict(response.headers), read)
    except OutboundRefused:
        raise
    except (ClientError, TimeoutError, OSError, ValueError) as error:
        if isinstance(refusal := error.__cause__, OutboundRefused):
            raise refusal from None
        if inside:
            raise OutboundRefused("an address of a private network") from None
        raise OutboundFailed(type(error).__name__) from error


async def _read(stream: Any, limit: int) -> bytes:
    parts, size = [], 0
    async for part in stream.iter_any():
        size += len(part)
        if size > limit:
            raise OutboundFailed(f"more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def basic(name: str, secret: str) -> str:
    """The Authorization header for a name and its secret."""
    return f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"


def check(url: str, *, of: ModuleSettings) -> SplitResult:
    """Raise `OutboundRefused` unless the address is declared and has a form that we call."""
    parts = check_form(url)
    if not declared(url, of.outside()):
        raise OutboundRefused(f"{parts.hostname} is not among the servers of {type(of).__name__}")
    return parts


def check_form(url: str) -> SplitResult:
    """Raise `OutboundRefused` unless the address has a form that we call."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        # As the client will call it: digits of other scripts become ordinary ones.
        called = URL(url).host
    except ValueError as error:
        raise OutboundRefused("no address") from error
    if parts.scheme != "https" and (get_settings().production or parts.scheme != "http"):
        raise OutboundRefused("not https")
    if not host or not called or parts.username is not None or parts.password is not None:
        raise OutboundRefused("no plain host")
    # The client does not ask a resolver about these.
    _refuse_private(host, _literals(host) + _literals(called))
    return parts


class Resolver(AbstractResolver):
    """Gives the addresses of a name, or refuses it when one of them is not in the open net."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await self._system.resolve(host, port, family)
        except socket.gaierror as error:
            raise OSError(error.errno or 0, "unknown host") from error
        _refuse_private(host, [one["host"] for one in found])
        return found

    async def close(self) -> None:
        await self._system.close()


def _literals(host: str) -> list[str]:
    try:
        ip_address(host)
    except ValueError:
        return []
    return [host]


def _refuse_private(host: str, addresses: list[str]) -> None:
    if any(_is_refused(host, address) for address in addresses):
        raise OutboundRefused("an address of a private network")


def _is_refused(host: str, address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    if _is_never_called(found):
        return True
    settings = get_settings()
    if not settings.production or host in settings.outbound_private_hosts:
        return False
    return not in_the_open(found)


def _is_never_called(address: IPv4Address | IPv6Address) -> bool:
    """Clouds answer there with the machine's keys; not even a laptop or a named host goes there."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_link_local or plain.is_multicast or plain in KEYS_OF_MACHINES


def in_the_open(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return in_the_open(address.ipv4_mapped)
        if any(address in tunnel for tunnel in TUNNELS):
            return False
    return address.is_global and not address.is_multicast
