"""compose.yml as processes of this machine: each service's own command, environment and files.

Only addresses are other ones: what is a host name between containers is a port of 127.0.0.1 here.
"""

import asyncio
import os
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TEMPLATE = ROOT / "template"
APP = str(TEMPLATE / ".venv" / "bin" / "app")
WEED, CADDY = (str(ROOT / ".venv" / "bin" / name) for name in ("weed", "caddy"))
DEBIAN = ("pgbouncer", "prometheus", "prometheus-alertmanager")
"""Programs that Debian packages."""
PATH = f"{os.environ['PATH']}:/usr/sbin"


PORTS = random.sample(range(20_000, 32_000), 1000)


def free_port() -> int:
    """Below those that Linux gives to outgoing connections, as one may leave before it is used."""
    while True:
        port = PORTS.pop()
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def interpolated(value: Any, variables: dict[str, str]) -> str:
    """As compose reads ${NAME:-default}, ${NAME:?sentence} and $$."""

    def found(match: re.Match[str]) -> str:
        name, kind, rest = match["name"], match["kind"], match["rest"]
        given = variables.get(name, "")
        if not given and kind == ":?":
            raise KeyError(f"{name} {rest}")
        return given or (rest if kind == ":-" else "")

    pattern = r"\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\}"
    return re.sub(pattern, found, str(value)).replace("$$", "$")


class Machine:
    def __init__(self, folder: Path, admin_url: str) -> None:
        self.folder = folder
        self.compose = yaml.safe_load((TEMPLATE / "compose.yml").read_text())["services"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {
            name: free_port()
            for name in (
                *(
                    "app1",
                    "app2",
                    "app3",
                    "pooler",
                    "model",
                    "objects",
                    "master",
                    "volume",
                    "filer",
                ),
                *("https", "http", "admin", "metrics", "scanner", "prometheus", "alertmanager"),
                *("figures1", "figures2", "figures3", "figures11", "figures12", "bell"),
            )
        }
        self.admin_url = admin_url
        parts = psycopg.conninfo.conninfo_to_dict(admin_url)
        self.socket = str(parts["host"])
        self.url = f"https://localhost:{self.ports['https']}"
        self.variables = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ENCRYPTION_KEYS": f"test:{b64encode(secrets.token_bytes(32)).decode()}",
            "POSTGRES_PASSWORD": str(parts["password"]),
            "DATABASE_APP_PASSWORD": secrets.token_urlsafe(24),
            "DATABASE_OWNER_PASSWORD": secrets.token_urlsafe(24),
            "DATABASE_BACKUP_PASSWORD": secrets.token_urlsafe(24),
            "OBJECTS_PASSWORD": secrets.token_urlsafe(24),
            "METRICS_TOKEN": secrets.token_urlsafe(24),
            "BACKUP_RECIPIENTS": "[]",
            "PUBLIC_URL": self.url,
        }
        # app.env: what the operator says, which compose.yml leaves open.
        self.settings = {
            "MAIL_BACKEND": "smtp",
            "MAIL_HOST": "127.0.0.1",
            "MAIL_FROM": "app@example.com",
            "SMS_SENDER": "webhook",
            "SMS_WEBHOOK_URL": "https://texts.example.com/send",
            "SMS_WEBHOOK_SECRET": secrets.token_urlsafe(32),
            "SMS_COUNTRIES": '["DE"]',
            "LLM_PROVIDER": "compatible",
            "LLM_BASE_URL": f"http://127.0.0.1:{self.ports['model']}/v1",
            "LLM_API_KEY": "a-key",
            "LLM_MODEL": "m",
            "LLM_EMBEDDING_MODEL": "m",
            # So few that each of them has some of the documents.
            "JOBS_CONCURRENCY": "2",
            # Else a killed worker's jobs wait thirty seconds.
            "JOBS_HEARTBEAT_SECONDS": "1",
            "JOBS_STALLED_SECONDS": "4",
            # What is measured here is what is lost, not how fast this machine is.
            "LIMITS_DATABASE_SECONDS": "30",
            # All forty people come from one address.
            "LIMITS_ADDRESS_PER_MINUTE": "100000",
            "ABUSE_READS_PER_PERSON": "1000000",
            # How often they ask depends on how fast this machine is.
            "USAGE_ORGANIZATION_DOLLARS_PER_MONTH": "1000000",
            "USAGE_INSTALLATION_DOLLARS_PER_MONTH": "1000000",
            "USAGE_PERSON_TOKENS_PER_HOUR": "1000000000",
            "USAGE_PERSON_TOKENS_PER_DAY": "1000000000",
        }

    def moved(self, text: str) -> str:
        """The same addresses where they are on this machine."""
        ports, database = self.ports, f"?host={self.socket}&port=5432"
        for old, new in {
            "@database:5432/app": f"@/app{database}",
            "@database:5432/postgres": f"@/postgres{database}",
            "pooler:6432": f"127.0.0.1:{ports['pooler']}",
            "http://objects:8333": f"http://127.0.0.1:{ports['objects']}",
            "clamav:3310": f"127.0.0.1:{ports['scanner']}",
            "/srv/backups": f"{self.folder}/backups",
        }.items():
            text = text.replace(old, new)
        return text

    def environment(self, service: str) -> dict[str, str]:
        """What compose.yml gives a service, and nothing of ours but the way to programs."""
        given = self.compose[service].get("environment", {})
        said = {
            name: self.moved(interpolated(value, self.variables)) for name, value in given.items()
        }
        env = {"PATH": PATH, "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        if "env_file" in self.compose[service] and self.compose[service]["env_file"]:
            env |= self.settings
        return env | said

    def start(self, name: str, command: list[str], env: dict[str, str], **more: Any) -> None:
        more.setdefault("cwd", self.folder)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, env=env, stdout=log, stderr=log, **more)

    def once(self, service: str) -> str:
        return self.typed(service, *self.compose[service]["command"][1:])

    def run_here(self, *words: str) -> None:
        """A program of this folder with the app's environment."""
        env = self.environment("app") | {"PYTHONPATH": str(HERE)}
        subprocess.run([sys.executable, str(HERE / words[0]), *words[1:]], env=env, check=True)

    def typed(self, service: str, *words: str) -> str:
        """What `docker compose exec SERVICE …` says."""
        done = subprocess.run(
            [APP, *words], env=self.environment(service), cwd=self.folder, capture_output=True,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_app(self, number: int) -> None:
        env = {"HOST": "127.0.0.1", "PORT": str(self.ports[f"app{number}"])}
        env |= {"METRICS_PORT": str(self.ports[f"figures{number}"])}
        self.start(f"app{number}", [APP, "serve"], self.environment("app") | env)

    def start_worker(self, number: int) -> None:
        env = {"METRICS_PORT": str(self.ports[f"figures1{number}"])}
        self.start(f"worker{number}", [APP, "worker"], self.environment("worker") | env)

    def start_pooler(self) -> None:
        ini = (TEMPLATE / "ops" / "machine" / "pgbouncer.ini").read_text()
        users = self.folder / "users.txt"
        for old, new in {
            "host=database port": f"host={self.socket} port",
            "listen_port = 6432": f"listen_port = {self.ports['pooler']}",
            "listen_addr = *": "listen_addr = 127.0.0.1",
            "/tmp/users.txt": str(users),
        }.items():
            assert old in ini, old
            ini = ini.replace(old, new)
        (self.folder / "pgbouncer.ini").write_text(ini)
        shell = interpolated(self.compose["pooler"]["command"][0], {})
        shell = shell.replace("/tmp/users.txt", str(users)).replace(
            "/etc/pgbouncer/", f"{self.folder}/"
        )
        # The server's socket is open to its own account only, and neither of the two runs as root.
        owner = Path(self.socket).stat()
        more: dict[str, Any] = {}
        if os.geteuid() == 0 and owner.st_uid:
            os.chown(self.folder, owner.st_uid, owner.st_gid)
            more = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        elif os.geteuid() == 0:
            shell = shell.replace("exec ", "exec unshare --user --map-user=65534 -- ")
        self.start("pooler", ["sh", "-c", shell], self.environment("pooler"), **more)

    def start_objects(self) -> None:
        said = interpolated(self.compose["objects"]["command"], {})
        data = self.folder / "objects"
        data.mkdir()
        for old, new in {
            "-dir=/data": f"-dir={data}",
            "-ip=objects -ip.bind=0.0.0.0": "-ip=127.0.0.1 -ip.bind=127.0.0.1",
            "-s3.port=8333": f"-s3.port={self.ports['objects']}",
            # So much of the disk is set aside at once.
            "-master.volumeSizeLimitMB=1024": "-master.volumeSizeLimitMB=64",
        }.items():
            assert old in said, old
            said = said.replace(old, new)
        ports = [f"-{one}.port={self.ports[one]}" for one in ("master", "volume", "filer")]
        ports += [f"-{one}.port.grpc={free_port()}" for one in ("master", "volume", "filer", "s3")]
        self.start("objects", [WEED, *shlex.split(said), *ports], self.environment("objects"))

    def start_proxy(self) -> None:
        caddyfile = (TEMPLATE / "ops" / "machine" / "Caddyfile").read_text()
        by_name = re.compile(r"dynamic a \{\$LIVE:app\} 8000 \{.*?\}", re.DOTALL)
        assert by_name.search(caddyfile)
        path = self.folder / "Caddyfile"
        path.write_text(by_name.sub("to {$LIVE}", caddyfile))
        words = ["run", "--config", str(path), "--adapter", "caddyfile"]
        self.start("proxy", [CADDY, *words], self.proxy_environment(["app1", "app2"]))

    def proxy_environment(self, live: list[str]) -> dict[str, str]:
        return self.environment("proxy") | {
            "LIVE": " ".join(f"127.0.0.1:{self.ports[one]}" for one in live),
            "HTTPS_PORT": str(self.ports["https"]),
            "HTTP_PORT": str(self.ports["http"]),
            "PROXY_ADMIN": f"127.0.0.1:{self.ports['admin']}",
            "METRICS_PORT": str(self.ports["metrics"]),
            "XDG_DATA_HOME": str(self.folder / "certificates"),
            "XDG_CONFIG_HOME": str(self.folder / "proxy"),
        }

    def start_watching(self) -> None:
        """Prometheus and Alertmanager with their files, in seconds instead of minutes."""
        ops, ports = TEMPLATE / "ops", self.ports
        folder = self.folder / "watching"
        shutil.copytree(ops / "prometheus", folder)
        token = folder / "token"
        token.write_text(self.variables["METRICS_TOKEN"])
        told = yaml.safe_load((folder / "prometheus.yml").read_text())
        told["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        at = {"app": ("figures1", "figures2"), "worker": ("figures11", "figures12")}
        for job in told["scrape_configs"]:
            if "authorization" in job:
                job["authorization"]["credentials_file"] = str(token)
            if names := job.pop("dns_sd_configs", None):
                where = [f"127.0.0.1:{ports[one]}" for one in at[names[0]["names"][0]]]
                job["static_configs"] = [{"targets": where}]
            else:
                job["static_configs"] = [{"targets": [f"127.0.0.1:{ports['prometheus']}"]}]
        told["alerting"]["alertmanagers"][0]["static_configs"] = [
            {"targets": [f"127.0.0.1:{ports['alertmanager']}"]}
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
        for rules in (folder / "rules").glob("*.yml"):
            rules.write_text(re.sub(r"for: \d+\w", "for: 2s", rules.read_text()))
        listen = f"--web.listen-address=127.0.0.1:{ports['prometheus']}"
        files = ["--config.file=prometheus.yml", f"--storage.tsdb.path={folder / 'data'}"]
        self.start("prometheus", ["prometheus", listen, *files], {"PATH": PATH}, cwd=folder)

        told = yaml.safe_load((ops / "alertmanager" / "alertmanager.yml").read_text())
        for route in (told["route"], *told["route"]["routes"]):
            route |= {"group_wait": "1s", "group_interval": "1s"}
        for receiver in told["receivers"]:
            url = f"http://127.0.0.1:{ports['bell']}/{receiver['name']}"
            receiver["webhook_configs"] = [{"url": url}]
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(told))
        words = [
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            "--config.file=alertmanager.yml",
            f"--storage.path={folder / 'alerts'}",
            "--cluster.listen-address=",
        ]
        program = ["prometheus-alertmanager", *words]
        self.start("alertmanager", program, {"PATH": PATH}, cwd=folder)

    def alerts(self, name: str) -> list[Any]:
        """Those of this name that Prometheus holds, pending or firing."""
        where = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query"
        told = httpx2.get(where, params={"query": f'ALERTS{{alertname="{name}"}}'})
        found: list[Any] = told.raise_for_status().json()["data"]["result"]
        return found

    @property
    def authority(self) -> str:
        """The certificate by which the proxy's own one is known."""
        return str(self.folder / "certificates/caddy/pki/authorities/local/root.crt")

    async def up(self) -> None:
        self.start_objects()
        model = [sys.executable, "-m", "uvicorn", "model:app", "--no-access-log", "--log-level"]
        env = {"PATH": PATH, "PYTHONPATH": str(HERE)}
        self.start("model", [*model, "error", "--port", str(self.ports["model"])], env)
        await asyncio.to_thread(self.once, "roles")
        self.start_pooler()
        self.start_proxy()
        await self.listens("objects", f"http://127.0.0.1:{self.ports['objects']}/healthz")
        await asyncio.gather(*(asyncio.to_thread(self.once, one) for one in ("migrate", "bucket")))
        self.start_watching()
        for number in (1, 2):
            self.start_app(number)
            self.start_worker(number)
        for number in (1, 2):
            await self.is_ready(f"app{number}")

    async def is_ready(self, app: str) -> None:
        await self.listens(app, f"http://127.0.0.1:{self.ports[app]}/health/ready")

    async def listens(self, name: str, url: str, seconds: float = 240) -> None:
        try:
            async with asyncio.timeout(seconds), httpx2.AsyncClient() as client:
                while True:
                    assert self.running[name].poll() is None, self.log(name)
                    try:
                        if (await client.get(url)).status_code == 200:
                            return
                    except httpx2.TransportError:
                        pass
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{name} does not answer\n{self.log(name)}") from None

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def drill(self) -> str:
        """The restore drill as compose.yml's `backup` does it, with files from the bucket."""
        return self.typed("backup", "backup", "drill")

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running[name].wait()

    def stop(self, name: str) -> None:
        """As Docker stops a container: it has its time to end what it does."""
        self.running[name].terminate()
        self.running[name].wait(90)

    def runs(self, name: str) -> bool:
        return name in self.running and self.running[name].poll() is None

    def down(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
