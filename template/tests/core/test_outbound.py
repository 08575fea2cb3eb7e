"""Calls to servers that others name, over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.resolver import ThreadedResolver

from app.core import outbound
from app.core.outbound import OutboundFailed, OutboundRefused, in_the_open
from app.core.outside import Outside
from app.core.settings import ModuleSettings


class Anywhere(ModuleSettings):
    """Settings that name one server, so that what else holds a call back can be seen."""

    url: str = ""

    def outside(self) -> list[Outside]:
        return [Outside("any", "", "", (self.url,))]


def of(url: str) -> Anywhere:
    return Anywhere(url=url)


async def call(method: str, url: str, **more):
    """A call to a server that is declared."""
    return await outbound.request(method, url, of=of(url), **more)


Serve = Callable[[web.RequestHandler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """A server of ours that answers with a handler; gives its address."""
    runners = []

    async def start(handler, host: str = "127.0.0.1") -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, host, 0)
        await site.start()
        return f"http://localhost:{site._server.sockets[0].getsockname()[1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def production(configure) -> None:
    configure(APP_ENV="production")


async def test_an_answer_comes_back_whole(serve):
    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"sent": dict(await request.post())})

    address = await serve(echo)

    answer = await call("POST", f"{address}/token", form={"code": "42 + 1"})

    assert (answer.status, answer.json()) == (200, {"sent": {"code": "42 + 1"}})


@pytest.mark.asvs("15.3.2")
async def test_redirects_are_not_followed(serve):
    asked = []

    async def away(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/inside"})

    answer = await call("GET", f"{await serve(away)}/")

    assert (answer.status, asked) == (302, ["/"])


async def test_a_body_without_end_is_cut_off(serve):
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 50_000_000:
            await response.write(b"x" * 10_000)
            sent += 10_000
        return response

    with pytest.raises(OutboundFailed, match="more than 100000 bytes"):
        await call("GET", await serve(endless), limit=100_000)
    assert sent < 50_000_000


async def test_packed_bodies_do_not_grow(serve):
    async def packed(request: web.Request) -> web.Response:
        response = web.Response(body=b"0" * 10_000_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    answer = await call("GET", await serve(packed), limit=100_000)

    with pytest.raises(OutboundFailed, match="not JSON"):
        answer.json()


async def test_a_server_that_drips_does_not_hold_us(serve):
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(600):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    started = asyncio.get_running_loop().time()
    with pytest.raises(OutboundFailed, match="TimeoutError"):
        await call("GET", await serve(drip), seconds=0.3)
    assert asyncio.get_running_loop().time() - started < 20


async def test_nobody_there_is_a_failure():
    with pytest.raises(OutboundFailed):
        await call("GET", "http://127.0.0.1:9/")
    with pytest.raises(OutboundFailed):
        await call("GET", "http://nobody.invalid/")


@pytest.mark.asvs("1.3.6")
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.1.2.3/",
        # The client writes them as 127.0.0.1 and asks no resolver.
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://[64:ff9b::a01:203]/",
        "https://[2002:7f00:1::]/",
        "http://example.com/",
        "file:///etc/passwd",
        "https://user:pass@example.com/",
        "https:///path",
        "https://example.com:99999/",
    ],
)
def test_production_refuses_addresses_of_ours_and_odd_ones(production, url):
    with pytest.raises(OutboundRefused):
        outbound.check_form(url)


@pytest.mark.asvs("1.3.6")
async def test_production_refuses_a_name_that_leads_inside(production, serve):
    """The name is looked up for real; nothing reaches the server behind it."""
    asked = []

    async def inside(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    port = (await serve(inside)).rpartition(":")[2]

    with pytest.raises(OutboundRefused, match="private network"):
        await call("GET", f"https://localhost:{port}/")
    assert asked == []


async def test_a_host_that_was_named_may_stand_inside(production, configure, serve):
    async def inside(request: web.Request) -> web.Response:
        return web.Response()

    port = (await serve(inside)).rpartition(":")[2]
    configure(OUTBOUND_PRIVATE_HOSTS='["localhost"]')

    # It speaks no TLS, so the call fails: after it was let through.
    with pytest.raises(OutboundFailed):
        await call("GET", f"https://localhost:{port}/")


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("100.64.0.1", False),
        ("192.168.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::", False),
        ("ff02::1", False),
        ("::127.0.0.1", False),
        ("::10.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
    ],
)
def test_what_is_in_the_open(address, is_open):
    assert in_the_open(ip_address(address)) is is_open


@pytest.mark.asvs("1.3.6")
@pytest.mark.parametrize(
    "host",
    [
        "１２７.0.0.1",
        "127。0。0。1",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::]",
    ],
)
async def test_production_makes_no_connection_inside_however_it_is_written(
    production, monkeypatch, host
):
    connections = []

    async def met(_, writer) -> None:
        connections.append(writer)
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # As if nothing had looked at the address before: the last look must hold alone.
    monkeypatch.setattr(outbound, "_refuse_private", lambda host, addresses: None)

    async with server:
        with pytest.raises((OutboundRefused, OutboundFailed)) as told:
            await call("GET", f"https://{host}:{port}/")
        await asyncio.sleep(0.05)
    assert connections == []
    # Refused, no address at all, or a name that no resolver knows.
    unknown = ("InvalidUrl", "ClientConnectorDNSError")
    assert told.type is OutboundRefused or any(one in str(told.value) for one in unknown)


class Rebound(ThreadedResolver):
    """Answers with an open address first and with one of ours after that."""

    asked = 0

    async def resolve(self, host, port=0, family=0):
        type(self).asked += 1
        address = "127.0.0.1" if type(self).asked > 1 else "192.0.2.1"
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]


async def test_a_name_is_asked_for_once_and_the_connection_goes_where_it_said(
    production, monkeypatch
):
    connected = []

    def note(family, kind, protocol=0):
        raise OSError("no network in this test")

    monkeypatch.setattr(outbound, "ThreadedResolver", Rebound)
    monkeypatch.setattr(outbound, "in_the_open", lambda address: not address.is_loopback)
    real = outbound._is_refused

    def seen(host, address):
        connected.append(address)
        return real(host, address)

    monkeypatch.setattr(outbound, "_is_refused", seen)
    monkeypatch.setattr(outbound.socket, "socket", note)
    with pytest.raises(OutboundFailed):
        await call("GET", "https://rebound.example/")
    assert Rebound.asked == 1
    assert set(connected) == {"192.0.2.1"}


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://168.63.129.16/",
        "http://224.0.0.1/",
    ],
)
def test_not_even_a_laptop_or_a_named_host_asks_for_a_machine_s_keys(configure, url):
    host = urlsplit(url).hostname
    configure(OUTBOUND_PRIVATE_HOSTS=json.dumps([host]))
    with pytest.raises(OutboundRefused):
        outbound.check_form(url)


@pytest.mark.asvs("13.2.4", "13.2.5", "13.1.1")
async def test_a_server_that_no_setting_names_is_not_called(serve):
    asked = []

    async def met(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    address, other = await serve(met), await serve(met)
    declared = of(f"{address}/a/path")

    assert (await outbound.request("GET", f"{address}/b", of=declared)).status == 200
    for url in (
        other,
        address.replace("localhost", "127.0.0.1"),
        address.replace("http:", "https:"),
        address.replace("localhost", "localhost.example"),
        f"http://localhost@{other.removeprefix('http://')}",
    ):
        with pytest.raises(OutboundRefused):
            await outbound.request("GET", url, of=declared)
    with pytest.raises(OutboundRefused, match="not among the servers"):
        await outbound.request("GET", address, of=of(other))
    assert asked == ["/b"]
