"""`app backup schedule` tells Prometheus how it is: a backup that fails reaches somebody."""

import asyncio
import os
import sys
from datetime import timedelta
from types import SimpleNamespace

import httpx2
import pytest

from app.backup import archive, commands
from app.backup.manifest import Manifest
from app.core.clock import now
from app.core.settings import ROOT
from tests.conftest import free_port

HOUR = 3600


def test_a_backup_is_late_once_the_next_one_is_due(configure, monkeypatch, tmp_path):
    configure(BACKUP_FOLDER=tmp_path, BACKUP_EVERY_HOURS=6)
    began = now() - timedelta(hours=3)
    assert commands._late_seconds(began) == pytest.approx(3 * HOUR, abs=60), "none was ever made"

    taken = now() - timedelta(hours=4)
    monkeypatch.setattr(archive, "backups", lambda folder: [folder / "one"])
    monkeypatch.setattr(Manifest, "read", lambda _: SimpleNamespace(taken_at=taken))
    assert commands._late_seconds(began) == 0

    taken = now() - timedelta(hours=8)
    assert commands._late_seconds(began) == pytest.approx(2 * HOUR, abs=60)


@pytest.mark.dear
async def test_its_figures_are_read_while_it_fails(tmp_path):
    port = free_port()
    token = "a-token-for-this-test-alone"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.cli", "backup", "schedule"),
        cwd=ROOT,
        env=os.environ
        | {
            "BACKUP_FOLDER": str(tmp_path),
            "BACKUP_ADMIN_URL": "",
            "BACKUP_STREAM_URL": "",
            "METRICS_PORT": str(port),
            "METRICS_TOKEN": token,
        },
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as prometheus:
            while True:
                assert process.returncode is None, "it goes on, whatever fails"
                try:
                    strange = await prometheus.get("/metrics")
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                known = {"Authorization": f"Bearer {token}"}
                told = (await prometheus.get("/metrics", headers=known)).text
                if "app_backup_late_seconds" in told:
                    break
                await asyncio.sleep(0.1)
        assert strange.status_code == 401
        # New words of the log are told as none once, so that Prometheus sees them rise.
        assert 'app_log_lines_total{event="backup.failed",level="error"} ' in told
        assert "app_people_here" not in told, "rows are read by those who work on them"
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() == 0
