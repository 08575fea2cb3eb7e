"""The image is built from the Dockerfile, and the app started from it as compose.yml says.

Run by `make image-test`; it takes minutes. No registry of images is needed: the Dockerfile's base
is made here from Debian's packages, so the interpreter is Debian's Python of the same version.
What runs is the image's own files, read-only and as its own account, without Docker.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from app.core import embedded
from machine import APP, DEBIAN, PATH, ROOT, TEMPLATE, Machine, free_port

TOOLS = ("buildah", "debootstrap", "bwrap", "setpriv", "uv")
BASE, UV = "docker.io/library/python:3.13-slim-trixie", "ghcr.io/astral-sh/uv:0.9"
PLACE = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
CHEST = ROOT / "build" / "trixie"
"""Debian's packages, unpacked: the same for each run."""
ACCOUNT = "10001"

missing = [one for one in (*TOOLS, *DEBIAN) if not shutil.which(one, path=PATH)]
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=f"apt-get install {' '.join(missing)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and buildah need root here"),
]


def run(*words: str, **more: Any) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def image_of(folder: Path, name: str, *settings: str) -> None:
    made = run("buildah", "from", "scratch").strip()
    run("buildah", "add", "--quiet", made, str(folder), "/")
    run("buildah", "config", *settings, made)
    run("buildah", "commit", "--quiet", "--rm", made, name)


def debian() -> Path:
    if not CHEST.exists():
        draft = CHEST.with_name("trixie.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(exist_ok=True)
        given = "--include=ca-certificates,python3,python3-venv"
        run("debootstrap", "--variant=minbase", given, "trixie", str(draft))
        for program in ("python", "python3"):
            (draft / "usr/local/bin" / program).symlink_to("/usr/bin/python3")
        # Whom this machine trusts, for it may see the world through a proxy.
        shutil.copy(AUTHORITIES, str(draft) + AUTHORITIES)
        draft.rename(CHEST)
    return CHEST


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Names of the image and of the one for backups."""
    trusts = ("--env", f"SSL_CERT_FILE={AUTHORITIES}")
    image_of(debian(), BASE, *trusts, "--env", f"PATH={PLACE}")
    uv = tmp_path_factory.mktemp("uv")
    # The program itself, not the script that some version managers put before it.
    found = run("uv", "run", "--no-project", "which", "uv").strip()
    shutil.copy(os.path.realpath(found), uv / "uv")
    image_of(uv, UV)
    made = {}
    for target, more in (("app", ()), ("backup", ("--target", "backup"))):
        made[target] = f"localhost/tested-{target}"
        words = (
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--pull-never",
            "--layers",
            "--format",
            "docker",
        )
        run("buildah", "build", *words, *more, "--tag", made[target], str(TEMPLATE))
    return made


@pytest.fixture
def opened(built: dict[str, str]) -> Iterator[dict[str, Path]]:
    """Where the files of the images are."""
    held = {
        name: run("buildah", "from", "--pull-never", one).strip() for name, one in built.items()
    }
    yield {name: Path(run("buildah", "mount", one).strip()) for name, one in held.items()}
    run("buildah", "rm", *held.values())


def inside(root: Path, *words: str, kept: Path | None = None) -> list[str]:
    """As compose.yml runs it: nothing but /tmp can be written, no rights, the image's account.

    `kept` is the folder of backups.
    """
    walls = ("--ro-bind", str(root), "/", "--dev", "/dev", "--proc", "/proc", "--die-with-parent")
    room = ("--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/srv")
    kept_in = ("--bind", str(kept), "/srv/backups") if kept else ()
    account = ("--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups")
    rights = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
    return ["bwrap", *walls, *room, *kept_in, "--", "setpriv", *account, *rights, "--", *words]


class Contained(Machine):
    """The machine whose app comes out of the image."""

    def __init__(self, folder: Path, admin_url: str, roots: dict[str, Path]) -> None:
        super().__init__(folder, admin_url)
        self.roots = roots
        self.carried: list[Any] = []
        self.ports["database"] = free_port()

    def moved(self, text: str) -> str:
        # A container is in another place than the server's socket.
        return super().moved(text.replace("@database:5432", f"@127.0.0.1:{self.ports['database']}"))

    def environment(self, service: str) -> dict[str, str]:
        given = super().environment(service)
        if "build" in self.compose[service]:
            told = run("buildah", "inspect", "--type", "image", "localhost/tested-app")
            given |= dict(one.split("=", 1) for one in json.loads(told)["OCIv1"]["config"]["Env"])
            given |= {"HOME": "/tmp", "TMPDIR": "/tmp", "BACKUP_FOLDER": "/srv/backups"}
        return given

    def start(self, name: str, command: list[str], env: dict[str, str], **more: Any) -> None:
        if command[0] == APP:
            command = inside(self.roots["app"], "app", *command[1:])
        super().start(name, command, env, **more)

    def typed(self, service: str, *words: str) -> str:
        backup = service == "backup"
        kept = self.folder / "backups"
        if backup and not kept.exists():
            kept.mkdir()
            os.chown(kept, int(ACCOUNT), int(ACCOUNT))
        root = self.roots["backup" if backup else "app"]
        command = inside(root, "app", *words, kept=kept if backup else None)
        return run(*command, env=self.environment(service))

    def inner(self, name: str) -> int:
        """The number of the process that bwrap waits for."""
        outer = self.running[name].pid
        return int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])

    def down(self) -> None:
        # A signal to bwrap ends bwrap alone: who took another account has lost its tie to it.
        for name, process in self.running.items():
            if process.args[0] == "bwrap" and self.runs(name):
                os.kill(self.inner(name), signal.SIGTERM)
                process.wait(90)
        super().down()

    async def serve_database(self) -> asyncio.Server:
        """The server listens on a socket; containers find it by an address."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while piece := await reader.read(65536):
                    writer.write(piece)
                    await writer.drain()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.carried.append(asyncio.current_task())
            path = f"{self.socket}/.s.PGSQL.5432"
            theirs, ours = await asyncio.open_unix_connection(path)
            await asyncio.gather(carry(reader, ours), carry(theirs, writer))

        return await asyncio.start_server(accept, "127.0.0.1", self.ports["database"])


@pytest.fixture
async def machine(tmp_path: Path, opened: dict[str, Path]) -> AsyncIterator[Contained]:
    os.environ["APP_ENV"] = "test"
    urls = embedded.start(tmp_path / "database", environment="test", durable=False)
    made = Contained(tmp_path, urls.admin, opened)
    server = await made.serve_database()
    try:
        yield made
    finally:
        await asyncio.to_thread(made.down)
        server.close()
        await asyncio.gather(*made.carried)


def test_the_image_holds_what_the_list_of_contents_says_and_no_tools(
    built: dict[str, str], opened: dict[str, Path]
) -> None:
    """The SBOM of the lock file names every package of the image, and no other."""
    config = json.loads(run("buildah", "inspect", "--type", "image", built["app"]))["Docker"]
    groups = ("--no-dev", "--no-group", "embedded", "--no-group", "backup")
    told = json.loads(
        run("uv", "export", "-q", "--locked", "--format", "cyclonedx1.5", *groups, cwd=TEMPLATE)
    )
    lister = (
        "import importlib.metadata as m, json, sysconfig\n"
        "found = m.distributions(path=[sysconfig.get_path('purelib')])\n"
        "print(json.dumps([[d.name, d.version] for d in found]))"
    )
    python = "/srv/.venv/bin/python"
    listed = json.loads(run(*inside(opened["app"], python, "-c", lister)))

    assert config["config"]["User"] == ACCOUNT
    assert config["config"]["Healthcheck"]["Test"][0] == "CMD"
    wanted = {
        (re.sub("[._]", "-", one["name"].lower()), one["version"]) for one in told["components"]
    }
    found = {
        (name.lower().replace("_", "-").replace(".", "-"), version) for name, version in listed
    }
    assert len(found) > 50
    assert {name for name, _ in found - wanted} <= {told["metadata"]["component"]["name"]}
    # What is for other systems only is told with its condition.
    conditional = {
        one["name"].lower()
        for one in told["components"]
        if any(each["name"] == "uv:package:marker" for each in one.get("properties", []))
    }
    assert {name for name, _ in wanted} - {name for name, _ in found} <= conditional
    for program in ("gcc", "cc", "pip", "pip3", "uv", "pg_dump"):
        assert shutil.which(program, path=f"{opened['app']}/usr/bin:{opened['app']}/srv/.venv/bin"
                            f":{opened['app']}/usr/local/bin") is None, program  # fmt: skip
    for secret in (".env", ".git", "tests"):
        assert not (opened["app"] / "srv" / secret).exists()


async def test_the_app_starts_from_the_image_and_is_backed_up(machine: Contained) -> None:
    await machine.up()

    for name in ("app1", "worker1"):
        assert machine.runs(name), machine.log(name)
        status = Path(f"/proc/{machine.inner(name)}/status").read_text()
        assert f"Uid:\t{ACCOUNT}\t" in status, name
        assert "NoNewPrivs:\t1" in status
    drill = await asyncio.to_thread(machine.drill)
    print(drill)
    assert "rows and" in drill
    os.kill(machine.inner("app1"), signal.SIGTERM)
    await asyncio.to_thread(machine.running["app1"].wait, 90)
    assert "Application shutdown complete" in machine.log("app1")
