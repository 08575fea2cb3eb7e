"""What Docker would do for scripts/release.py, done to the processes of the machine."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys

from machine import CADDY, HERE, TEMPLATE, Machine


class DockerServer:
    """Answers tests/machine/docker.py. Blue is app1 and app2, green one more."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.sets = {"blue": ["app1", "app2"], "green": ["app3"]}
        self.asked: list[str] = []
        self.breaks = ""
        """A command that begins like this fails."""
        self.folder = machine.folder / "release"
        (self.folder / "scripts").mkdir(parents=True)
        for name in ("release.py", "listeners.py"):
            shutil.copy(TEMPLATE / "scripts" / name, self.folder / "scripts")
        (self.folder / ".env").write_text("SECRET=kept\n")
        docker = self.folder / "docker"
        docker.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "docker.py"} "$@"\n')
        docker.chmod(0o755)

    async def release(self, *words: str) -> tuple[int, str]:
        """Run the script as an operator does."""
        path = self.folder / "s"
        server = await asyncio.start_unix_server(self._answer, path)
        env = os.environ | {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "MACHINE_SOCKET": str(path),
        }
        script = str(self.folder / "scripts" / "release.py")
        async with server:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, script, "--drain", "1", *words),
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    @property
    def state(self) -> dict[str, str]:
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.read())
        words = " ".join(asked["words"])
        self.asked.append(words)
        try:
            if self.breaks and words.startswith(self.breaks):
                raise RuntimeError(f"{words} was told to fail")
            said = await self._do(words, asked["words"])
            answer = {"code": 0, "said": said}
        except (AssertionError, RuntimeError, subprocess.CalledProcessError) as error:
            answer = {"code": 1, "said": f"{error}\n"}
        writer.write(json.dumps(answer).encode())
        await writer.drain()
        writer.close()

    async def _do(self, words: str, each: list[str]) -> str:
        machine = self.machine
        if words in {"compose config --services", "compose --profile copies config --services"}:
            return "blue\ngreen\nworker\nproxy\n"
        if words == "compose run --rm --no-deps migrate":
            return await asyncio.to_thread(machine.once, "migrate")
        if match := re.fullmatch(
            r"compose up --detach --no-deps --wait --wait-timeout \d+ (\w+)", words
        ):
            for name in self.sets[match[1]]:
                machine.start_app(int(name[-1]))
            for name in self.sets[match[1]]:
                await machine.is_ready(name)
            return ""
        if match := re.fullmatch(r"compose ps --all --quiet (\w+)", words):
            return "\n".join(one for one in self.sets[match[1]] if machine.runs(one))
        if words.startswith("exec app"):
            program = each[-1].replace(":8000/", f":{machine.ports[each[1]]}/")
            await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True)
            return ""
        if match := re.fullmatch(r"compose exec --no-TTY --env LIVE=(\w+) proxy sh -ec .*", words):
            env = machine.proxy_environment(self.sets[match[1]])
            reload = f"--address {env['PROXY_ADMIN']} --adapter caddyfile"
            script = each[-1].replace("caddy reload", f"{CADDY} reload {reload}")
            script = script.replace("/etc/caddy/", f"{machine.folder}/")
            script = script.replace("/config/", f"{machine.folder}/")
            await asyncio.to_thread(subprocess.run, ["sh", "-ec", script], env=env, check=True)
            return ""
        if words == "compose up --detach --no-deps worker":
            await asyncio.to_thread(machine.stop, "worker2")
            machine.start_worker(2)
            return ""
        if match := re.fullmatch(r"compose stop (?:--timeout \d+ )?(\w+)", words):
            for name in self.sets[match[1]]:
                await asyncio.to_thread(machine.stop, name)
            return ""
        raise RuntimeError(f"nobody knows what {words!r} means here")
