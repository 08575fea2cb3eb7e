"""Figures of this process: memory, processor, files, and how late its loop is."""

import asyncio
import os
import platform
import sys
import time
from pathlib import Path

from app.core.metrics import Gauge
from app.telemetry.settings import MetricsSettings

BEAT_SECONDS = 1.0
STARTED = time.time()
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

_late = 0.0


def _memory() -> float:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="ascii").split()[1]) * PAGE
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _cpu() -> float:
    return time.process_time()


def _files() -> float:
    folder = Path("/dev/fd")
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


def _lateness() -> float:
    """The longest since somebody last looked."""
    global _late
    found, _late = _late, 0.0
    return found


def _build() -> dict[tuple[str, ...], float]:
    return {(MetricsSettings.load().release or "unnamed", platform.python_version()): 1}


Gauge("process_resident_memory_bytes", "Memory of this process.", read=_memory)
Gauge("process_open_fds", "Open files and connections.", read=_files)
Gauge("process_start_time_seconds", "When this process began.", read=lambda: STARTED)
Gauge("process_cpu_seconds_total", "Seconds of the processor.", read=_cpu).kind = "counter"
Gauge(
    "app_loop_late_seconds",
    "The longest that the loop was late since the last look.",
    read=_lateness,
)
Gauge("app_build_info", "What is running.", "release", "python", read=_build)
Gauge(
    "app_minutes_per_answer",
    "What one answer saves a person, by the settings.",
    read=lambda: MetricsSettings.load().minutes_per_answer,
)


async def watch_the_loop() -> None:
    """Whatever holds the loop makes everyone wait; this tells for how long."""
    global _late
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        _late = max(_late, clock() - due)
