"""Two more processes with limits and no secret: one draws pages, one reads what is written on them.

What is drawn goes out page by page: its number and its size, four bytes each, and a PGM picture.
"""

import os
import sys

from app.documents.reading.child import limit

DOTS_PER_INCH = 200
POINTS_PER_INCH = 72
MOST_DOTS = 12_000_000


def draw() -> None:
    """MEGABYTES SECONDS MOST PAGE,PAGE: no pages are all of them."""
    megabytes, seconds, most, wanted = sys.argv[1:]
    import pypdfium2

    limit(int(megabytes), int(seconds))
    document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
    numbers = [int(one) for one in wanted.split(",") if one] or range(1, len(document) + 1)
    if len(numbers) > int(most):
        numbers = [0]  # Too many: no page at all has this number.
    with os.fdopen(1, "wb") as out:
        for number in numbers:
            picture = _picture(document[number - 1]) if number else b""
            out.write(number.to_bytes(4) + len(picture).to_bytes(4) + picture)
            out.flush()


def _picture(page: "pypdfium2.PdfPage") -> bytes:  # type: ignore[name-defined] # noqa: F821 late
    width, height = page.get_size()
    dots = DOTS_PER_INCH / POINTS_PER_INCH
    scale = min(dots, (MOST_DOTS / max(1.0, width * height)) ** 0.5)
    drawn = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    lines = memoryview(drawn.buffer).cast("B")
    rows = (
        lines[start : start + drawn.width]
        for start in range(0, drawn.stride * drawn.height, drawn.stride)
    )
    return b"P5 %d %d 255\n" % (drawn.width, drawn.height) + b"".join(rows)


def recognise() -> None:
    """MEGABYTES SECONDS PROGRAM LANGUAGES: the limits hold for the program, too."""
    megabytes, seconds, program, languages = sys.argv[1:]
    limit(int(megabytes), int(seconds))
    alone = {"OMP_THREAD_LIMIT": "1"}
    os.execve(program, [program, "stdin", "stdout", "-l", languages], alone)  # noqa: S606 no shell
