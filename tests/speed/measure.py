"""Measure the app against what its libraries can do, side by side in one run.

    template/.venv/bin/python tests/speed/measure.py          writes the table of docs/speed.md

Servers run on one core, the load client on the other; each pair of figures is taken in turn,
several rounds, and the medians are compared. Read the ratios: absolute figures are this machine's.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "template")]
os.environ.setdefault("APP_ENV", "development")

from servers import CLIENT, ROOT, Server, load, serve, uvicorn  # noqa: E402
from world import World  # noqa: E402

ROUNDS, SECONDS, WIDTH = 5, 3, 16
HASHING_SECONDS = 10  # of which a core does only some forty in one
APP = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", "{port}"]
PASSWORD = "correct horse battery staple 42"


def median(values: list[float]) -> float:
    return statistics.median(values)


def in_turn(rounds: int, **ways: Callable[[], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Run each way once per round, so that whatever disturbs the machine disturbs all."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            one = way()
            if number:  # the first round only warms up
                found[name].append(one)
    return found


def with_cpu(
    server: Server, url: str, *words: str, targets: list[tuple[str, ...]] | None = None
) -> dict[str, Any]:
    before = server.cpu_seconds()
    found = load(url, *words, targets=targets)
    done = sum(count for code, count in found["codes"].items() if int(code) < 300)
    found["cpu_ms"] = (server.cpu_seconds() - before) / max(1, done) * 1000
    bad = {code: count for code, count in found["codes"].items() if int(code) >= 300}
    if bad:
        sys.exit(f"{url} answered {bad}: the figures would mean nothing.")
    return found


def profile(world: World, rounds: int) -> list[str]:
    """One's own profile against one row by primary key."""
    words = ("--concurrency", str(WIDTH), "--seconds", str(SECONDS))
    floor_words = uvicorn("floors:profile", "--factory")
    with (
        serve(floor_words, "/", **world.floor) as floor,
        serve(APP, "/health/live", **world.environment) as app,
    ):
        memory = app.memory_mb()
        mine = ("--header", world.cookie)
        found = in_turn(
            rounds,
            floor=lambda: with_cpu(floor, floor.url + "/", *words),
            app=lambda: with_cpu(app, app.url + "/api/me", *mine, *words),
            two=lambda: with_cpu(app, app.url + "/api/organization", *mine, *words),
        )
        after = app.memory_mb()
    rate = {name: median([one["per_second"] for one in runs]) for name, runs in found.items()}
    cpu = {name: median([one["cpu_ms"] for one in runs]) for name, runs in found.items()}
    return [
        row(
            "own profile, requests/s",
            rate["floor"],
            rate["app"],
            rate["app"] / rate["floor"],
            "≥ 65 %",
        ),
        row("own profile, CPU ms", cpu["floor"], cpu["app"], cpu["floor"] / cpu["app"], ""),
        row("own organisation, CPU ms", cpu["floor"], cpu["two"], cpu["floor"] / cpu["two"], ""),
        f"| memory: idle, after load (MB) | | {memory:.0f}, {after:.0f} | | idle ≤ 150 |",
    ]


def start(world: World, rounds: int) -> list[str]:
    """From the process's start to its first answer."""
    times: dict[str, list[float]] = {"floor": [], "app": []}
    for _ in range(rounds):
        with serve(uvicorn("floors:profile", "--factory"), "/", **world.floor) as server:
            times["floor"].append(server.start_seconds)
        with serve(APP, "/health/live", **world.environment) as server:
            times["app"].append(server.start_seconds)
    floor, app = median(times["floor"]), median(times["app"])
    return [f"| start, seconds | {floor:.2f} | {app:.2f} | {app / floor:.1f} × | ≤ 2 |"]


def sign_ins(world: World, rounds: int) -> list[str]:
    """Sign-ins on all cores against hashing alone, and health beside them."""
    from concurrent.futures import ThreadPoolExecutor

    from app.auth.hash_threads import cores
    from app.auth.passwords import _context

    threads = cores()
    hashed = _context().hash(PASSWORD)

    def ceiling() -> dict[str, Any]:
        before = time.perf_counter()

        def hashing(_: int) -> int:
            done = 0
            while time.perf_counter() - before < HASHING_SECONDS:
                _context().verify(PASSWORD, hashed)
                done += 1
            return done

        with ThreadPoolExecutor(threads) as pool:
            done = sum(pool.map(hashing, range(threads)))
        return {"per_second": done / (time.perf_counter() - before)}

    path = "/api/auth/sign-in"
    targets = [(path, json.dumps({"email": one, "password": PASSWORD})) for one in world.people]
    health: list[float] = []
    with serve(
        APP,
        "/health/live",
        cores=set(os.sched_getaffinity(0)),
        **world.environment,
        TRUSTED_PROXIES="1",
    ) as app:

        def signing() -> dict[str, Any]:
            found = with_cpu(
                app,
                app.url + path,
                *("--method", "POST", "--concurrency", str(WIDTH)),
                *("--seconds", str(HASHING_SECONDS)),
                *("--beside", "/health/live"),
                targets=targets,
            )
            health.append(found["beside_ms"]["p99"])
            return found

        found = in_turn(rounds, floor=ceiling, app=signing)
        peak = app.memory_mb()
    rate = {name: median([one["per_second"] for one in runs]) for name, runs in found.items()}
    return [
        row("sign-ins/s", rate["floor"], rate["app"], rate["app"] / rate["floor"], "≥ 85 %"),
        f"| `/health/live` p99 beside sign-ins (ms) | | {median(health):.1f} | | ≤ 50 |",
        f"| memory with {WIDTH} sign-ins at once (MB) | | {peak:.0f} | | |",
    ]


# Also the learned detector, and what no guard does unless it is told to.
EVERY_GUARD = {
    "GUARDRAILS_LEARNED": "true",
    "GUARDRAILS_MASK": '["account", "address", "card", "email", "national", "phone"]',
    "GUARDRAILS_REVIEW_SCORE": "0.9",
    "GUARDRAILS_REVIEW_WORDS": '["zebra crossing"]',
}


def guarded(world: World, rounds: int) -> list[str]:
    """As `streams`, with every guard there is; and how long the event loop was held meanwhile."""
    asyncio.run(world.forbid("unicorn"))
    lines = streams(world, rounds, ", every guard", EVERY_GUARD)
    seen = [held(world) for _ in range(rounds)]
    for name, what in (("took", "time"), ("own", "but for waits for a core"), ("cpu", "CPU")):
        longest, rare = (median([one[name][of] for one in seen]) for of in ("longest", "p999"))
        lines.append(
            f"| event loop held, {what}, longest; 999 of 1000 (ms) | |"
            f" {longest:.1f}; {rare:.1f} | | ≤ 20 |"
        )
    return lines


def held(world: World) -> dict[str, dict[str, float]]:
    """How long the loop was held: on a server of its own, since counting costs it much."""
    watched = [sys.executable, str(HERE / "held.py"), *APP[-3:]]
    words = ("--method", "POST", "--stream", "--seconds", "600")
    with (
        tempfile.NamedTemporaryFile(suffix=".json") as file,
        serve(uvicorn("model:app"), "/v1", cores=CLIENT) as model,
    ):
        told = world.environment | behind(model) | EVERY_GUARD | {"HELD_FILE": file.name}
        with serve(watched, "/health/live", **told) as app:
            for width, count in ((1, 120), (WIDTH, 960)):
                load(
                    app.url,
                    *words,
                    *("--concurrency", str(width), "--count", str(count)),
                    targets=asked(world, count),
                )
        found: dict[str, dict[str, float]] = json.loads(Path(file.name).read_text())
        return found


def behind(model: Server) -> dict[str, str]:
    """The settings of an app that asks this model."""
    return {
        "LLM_PROVIDER": "compatible",
        "LLM_BASE_URL": model.url + "/v1",
        "LLM_MODEL": "m",
        "USAGE_PERSON_TOKENS_PER_HOUR": "1000000000",
        "USAGE_PERSON_TOKENS_PER_DAY": "1000000000",
        "USAGE_ORGANIZATION_DOLLARS_PER_MONTH": "1000000",
        "USAGE_INSTALLATION_DOLLARS_PER_MONTH": "1000000",
    }


_numbers = itertools.count()


def asked(world: World, count: int) -> list[tuple[str, ...]]:
    """New questions: what was answered before would cost no model."""
    said = "What does the handbook say about holidays, case {}?"
    return [
        (path, json.dumps({"text": said.format(next(_numbers))}), *who)
        for path, who in world.chats(count)
    ]


def streams(
    world: World, rounds: int, how: str = "", more: dict[str, str] | None = None
) -> list[str]:
    """A streamed answer through every step of the gateway against the model's server itself."""
    lines = []
    with serve(uvicorn("model:app"), "/v1", cores=CLIENT) as model:
        direct = model.url + "/v1/chat/completions"
        told = world.environment | behind(model) | (more or {})
        with (
            serve(uvicorn("floors:relay", "--factory"), "/x", MODEL_URL=model.url + "/v1") as floor,
            serve(APP, "/health/live", **told) as app,
        ):
            for width, count in ((1, 60), (WIDTH, 320)):
                words = ("--method", "POST", "--stream", "--concurrency", str(width))
                words += ("--seconds", "600")  # it ends by their number
                found = in_turn(
                    rounds,
                    direct=lambda: load(direct, *words, "--count", str(count), "--body", "{}"),  # noqa: B023
                    relay=lambda: with_cpu(floor, floor.url + "/", *words, "--count", str(count)),  # noqa: B023
                    app=lambda: with_cpu(
                        app,
                        app.url,
                        *words,  # noqa: B023
                        *("--count", str(count)),  # noqa: B023
                        targets=asked(world, count),  # noqa: B023
                    ),
                )
                first = {
                    name: median([one["first_ms"]["p50"] for one in runs])
                    for name, runs in found.items()
                }
                ways = ("relay", "app")
                cpu = {way: median([one["cpu_ms"] for one in found[way]]) for way in ways}
                aim = "+ ≤ 40" if width > 1 else "+ ≤ 20" if how else "+ ≤ 8"
                lines.append(
                    f"| first token, {width} at once{how} (ms) | {first['direct']:.1f}; relay"
                    f" {first['relay']:.1f} | {first['app']:.1f}"
                    f" | + {first['app'] - first['direct']:.1f} | {aim} |"
                )
                lines.append(
                    f"| CPU per stream of 50 tokens, {width} at once{how} (ms) | relay"
                    f" {cpu['relay']:.1f} | {cpu['app']:.1f} | | ≤ {10 if how else 8} |"
                )
    return lines


def render(world: World, rounds: int) -> list[str]:
    """Rendering a project against Copier copying as many plain files of the same size."""
    import shutil
    import subprocess

    del world
    lines: dict[str, list[float]] = {"floor": [], "app": []}
    with tempfile.TemporaryDirectory(prefix="render") as name:
        folder = Path(name)
        rendered = folder / "rendered"
        copier = [str(ROOT / ".venv" / "bin" / "copier"), "copy", "--defaults", "--quiet"]
        subprocess.run([*copier, "--vcs-ref", "HEAD", str(ROOT), str(rendered)], check=True)
        plain = folder / "plain"
        shutil.copytree(rendered, plain / "template")
        (plain / "template" / ".copier-answers.yml").unlink()
        (plain / "copier.yml").write_text("_subdirectory: template\n")
        source = folder / "source"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
        shutil.rmtree(source / ".git")
        for number in range(rounds):
            for kind, where in (("floor", plain), ("app", source)):
                start = time.perf_counter()
                subprocess.run([*copier, str(where), str(folder / f"{kind}{number}")], check=True)
                lines[kind].append(time.perf_counter() - start)
        count = sum(1 for one in rendered.rglob("*") if one.is_file())
    floor, app = median(lines["floor"]), median(lines["app"])
    return [f"| render {count} files, seconds | {floor:.2f} | {app:.2f} | {app / floor:.2f} × | |"]


def row(name: str, floor: float, app: float, ratio: float, aim: str) -> str:
    return f"| {name} | {floor:.1f} | {app:.1f} | {ratio:.0%} | {aim} |"


SECTIONS = {
    "render": render,
    "start": start,
    "profile": profile,
    "sign_ins": sign_ins,
    "streams": streams,
    "guarded": guarded,
}


PAGE = ROOT / "docs" / "speed.md"
TABLE = "| --- | --- | --- | --- | --- |\n"


def written(page: str, rows: list[str], rounds: int) -> str:
    """The page with these rows in its first table. What people wrote around it stays."""
    head, _, rest = page.partition(TABLE)
    head = re.sub(r"medians of \d+ rounds", f"medians of {rounds} rounds", head)
    head = re.sub(r"with \d+ cores", f"with {os.cpu_count()} cores", head)
    head = re.sub(r"Python [\d.]+\d", f"Python {platform.python_version()}", head)
    return head + TABLE + "\n".join(rows) + "\n\n" + rest.partition("\n\n")[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS), help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="speed") as folder, World(Path(folder)) as world:
        rows = []
        for name in options.sections:
            rows += SECTIONS[name](world, options.rounds)
            print("\n".join(rows[-6:]), flush=True)
    if options.sections == list(SECTIONS):
        page = written(PAGE.read_text(encoding="utf-8"), rows, options.rounds)
        PAGE.write_text(page, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
