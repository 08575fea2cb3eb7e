"""Who may read the figures, and where."""

import asyncio
from contextlib import suppress

import httpx2
import pytest

from app.core.settings import UnsafeSettings, refuse_unsafe
from app.telemetry.listener import listening
from app.telemetry.settings import MetricsSettings
from tests.conftest import free_port

TOKEN = "a token that only Prometheus knows"


async def test_there_is_no_port_before_a_setting_names_one(client):
    async with listening() as port:
        assert port == 0
    assert (await client.get("/metrics")).status_code == 404
    assert (await client.get("/api/metrics")).status_code == 404


@pytest.mark.asvs("13.4.5")
async def test_with_a_token_nobody_reads_without_it(configure):
    configure(METRICS_PORT=free_port(), METRICS_TOKEN=TOKEN)
    async with listening() as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as one:
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
            refused = await one.get("/metrics", headers=wrong)
            assert (refused.status_code, refused.content) == (401, b"")
        read = await one.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (read.status_code, "app_build_info" in read.text) == (200, True)
        assert (await one.get("/", headers=dict(read.request.headers))).status_code == 404
        assert (await one.post("/metrics", headers=dict(read.request.headers))).status_code == 404


async def test_a_second_process_takes_the_next_port(configure):
    configure(METRICS_PORT=free_port())
    async with listening() as one, listening() as other:
        assert one == MetricsSettings.load().port
        assert other > one


async def test_whoever_does_not_speak_http_is_hung_up_on(configure):
    configure(METRICS_PORT=free_port())
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 20_000)
        await writer.drain()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_production_wants_a_token_where_others_may_connect(configure):
    configure(METRICS_PORT=9100, METRICS_HOST="0.0.0.0")
    assert "METRICS_TOKEN" in MetricsSettings.load().production_problems()[0]
    configure(METRICS_TOKEN=TOKEN)
    assert MetricsSettings.load().production_problems() == []
    configure(METRICS_TOKEN="", METRICS_HOST="localhost")
    assert MetricsSettings.load().production_problems() == []
    configure(METRICS_HOST="0.0.0.0", APP_ENV="production")
    with pytest.raises(UnsafeSettings, match="METRICS_TOKEN"):
        refuse_unsafe()
