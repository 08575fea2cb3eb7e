"""On one machine an alert reaches somebody whose address stands in .env and nowhere else."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from conftest import Render
from test_compose import read


class Telephone(BaseHTTPRequestHandler):
    """Takes what Alertmanager sends, by the path that it was given."""

    rang: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.rang.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.mark.skipif(
    not (ALERTMANAGER := shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")),
    reason="No Alertmanager: install it to hear an alert.",
)
def test_an_alert_reaches_the_address_that_stands_in_env_alone(
    render: Render, tmp_path: Path
) -> None:
    """The very words of compose.yml, in other folders; with a chat, as Debian's Alertmanager knows
    no `url_file` of a webhook yet."""
    project = render(project_name="Demo")
    service = read(project / "compose.yml")["services"]["alertmanager"]
    told = read(project / "ops" / "alertmanager" / "alertmanager.yml")
    for route in (told["route"], *told["route"]["routes"]):
        route["group_wait"] = "0s"
    told["receivers"][0]["slack_configs"] = [{"api_url_file": f"{tmp_path}/secrets/page_url"}]
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(told))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "alertmanager").symlink_to(str(ALERTMANAGER))
    [words] = service["command"]
    words = words.replace("$$", "$").replace("/run/secrets", f"{tmp_path}/secrets")
    words = words.replace("/etc/alertmanager/", f"{tmp_path}/")
    words = words.replace("=/alertmanager ", f"={tmp_path}/data ")
    telephone = ThreadingHTTPServer(("127.0.0.1", 0), Telephone)
    threading.Thread(target=telephone.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert service["environment"]["PAGE"] == "${ALERTS_PAGE_URL:-}"
    env = {"PAGE": f"http://127.0.0.1:{telephone.server_port}/secret", "TICKET": ""}
    running = subprocess.Popen(
        [*service["entrypoint"], f"{words} --web.listen-address=127.0.0.1:{port}"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"} | env,
        stderr=subprocess.DEVNULL,
    )
    alert = json.dumps([{"labels": {"alertname": "AppDown", "severity": "page"}}]).encode()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v2/alerts", alert, {"Content-Type": "application/json"}
    )
    try:
        deadline = time.monotonic() + 60
        while "/secret" not in Telephone.rang and time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(asked, timeout=5).close()
            time.sleep(0.2)
    finally:
        running.terminate()
        running.wait()
        telephone.shutdown()
        telephone.server_close()
    assert "/secret" in Telephone.rang
    assert (tmp_path / "secrets" / "page_url").stat().st_mode & 0o077 == 0
