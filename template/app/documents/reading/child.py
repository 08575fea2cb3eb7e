"""The process that reads one file: bytes come in, JSON goes out, and no secret is in it.

python -I -m app.documents.reading.child KIND MEGABYTES SECONDS
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from app.documents.reading.content import Content, Refused, limited
from app.documents.reading.kinds import refuse_polyglots

READERS = {
    "pdf": ("pdf", "read"),
    "docx": ("docx", "read"),
    "html": ("html", "read"),
    "markdown": ("text", "read_markdown"),
    "csv": ("table", "read"),
    "text": ("text", "read"),
    "png": ("picture", "read_png"),
    "jpeg": ("picture", "read_jpeg"),
}


def limit(megabytes: int, seconds: int) -> None:
    """No more memory and time than this, no file written, no other process started."""
    try:
        import resource
    except ImportError:  # Windows: whoever started us still ends us when time is up.
        return
    memory = megabytes * 1024 * 1024
    limits = {
        resource.RLIMIT_AS: (memory, memory),
        # The first one tells that it is time, the second one ends whoever does not listen.
        resource.RLIMIT_CPU: (seconds, seconds + 1),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_NPROC: (0, 0),
    }
    for what, most in limits.items():
        with suppress(OSError, ValueError):  # macOS refuses some of them.
            resource.setrlimit(what, most)


def read(kind: str, data: bytes) -> Content:
    refuse_polyglots(kind, data)
    module, name = READERS[kind]
    reader: Callable[[bytes], Content] = getattr(
        import_module(f"app.documents.reading.{module}"), name
    )
    try:
        content = reader(data)
    except RecursionError as error:
        raise Refused("damaged") from error
    limited(content.blocks)
    return content


def main() -> None:
    kind, megabytes, seconds = sys.argv[1:]
    # Imported before the limits: what a library needs is no fault of the file.
    import_module(f"app.documents.reading.{READERS[kind][0]}")
    limit(int(megabytes), int(seconds))
    try:
        told = read(kind, sys.stdin.buffer.read()).as_json()
    except Refused as refusal:
        told = {"reason": refusal.reason}
    except MemoryError:
        told = {"reason": "took_too_much_memory"}
    with os.fdopen(1, "wb") as out:
        out.write(json.dumps(told).encode())


if __name__ == "__main__":
    main()
