"""Count the instructions of a streamed answer, which no other load changes.

    template/.venv/bin/python tests/speed/counted.py

Seconds swing by half within minutes on a shared machine; of two versions, the one that counts
fewer does less. The server runs in valgrind's callgrind (a package of every system), which counts
the server's process with its threads, not the kernel and not the database. What waits, what misses
a cache and what loses the core is not in the count: how long it takes, measure.py says.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import APP, CLIENT, EVERY_GUARD, asked, behind
from servers import load, serve, uvicorn
from world import World

STREAMS = 12
WORDS = ("--method", "POST", "--stream", "--concurrency", "1", "--seconds", "600")


def counted(world: World, more: dict[str, str]) -> float:
    """Millions of instructions of a stream of 50 tokens."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(uvicorn("model:app"), "/v1", cores=CLIENT) as model,
    ):
        out = Path(folder) / "callgrind.out"
        watched = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        watched += [f"--callgrind-out-file={out}", *APP]
        settings = world.environment | behind(model) | more
        with serve(watched, "/health/live", **settings) as app:

            def ask() -> None:
                targets = asked(world, STREAMS)
                found = load(app.url, *WORDS, "--count", str(STREAMS), targets=targets)
                if found["codes"] != {"200": STREAMS}:
                    sys.exit(f"The app answered {json.dumps(found['codes'])}.")

            def count(switch: str) -> None:
                words = ["callgrind_control", "-i", switch, str(app.process.pid)]
                subprocess.run(words, check=True, capture_output=True)

            ask()  # What is done once is not counted.
            count("on")
            ask()
            count("off")
        # The server wrote it when it ended; its own sums are nought, for it ended uncounted.
        told = subprocess.run(
            ["callgrind_annotate", str(out)], check=True, capture_output=True, text=True
        ).stdout
    total = next(line for line in told.splitlines() if "PROGRAM TOTALS" in line)
    return int(total.split()[0].replace(",", "")) / STREAMS / 1e6


def main() -> None:
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not on PATH: install the package of that name.")
    with tempfile.TemporaryDirectory(prefix="speed") as folder, World(Path(folder)) as world:
        for name, more in (("usual guards", {}), ("every guard", EVERY_GUARD)):
            print(f"{name}: {counted(world, more):.1f} million instructions a stream", flush=True)


if __name__ == "__main__":
    main()
