"""Structured logs to standard output: lines to read in development, JSON elsewhere.

The redaction sits on the handler, so it holds for every logger, also those of libraries.
"""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

import orjson

from app.core import tracing
from app.core.metrics import Counter
from app.core.settings import get_settings

# For tracebacks that nobody here prints, structlog would import the whole of rich where there is
# one: a tenth of the start, and memory for as long as the process lives.
_left_out = {"rich.console", "rich.pretty", "rich.traceback"} - sys.modules.keys()
sys.modules |= dict.fromkeys(_left_out)  # type: ignore[arg-type]
import structlog  # noqa: E402

for _name in _left_out:
    del sys.modules[_name]

log: structlog.stdlib.BoundLogger = structlog.get_logger("app")

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
client_address: ContextVar[str | None] = ContextVar("client_address", default=None)

LINES = Counter("app_log_lines_total", "Lines of the log that worry.", "event", "level")
TOLD = {"warning", "error", "exception", "critical"}

SECRETS = re.compile(
    # Bounded, so that the time stays in proportion to a line that a stranger made long.
    r"(?P<mail>[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)"
    r"|(?P<url>(?:postgres(?:ql)?(?:\+\w{1,20})?|https?|smtps?|redis)://[^\s:/@]{1,200}:)"
    r"[^\s@]{1,200}(?=@)"
    r"|(?P<bearer>(?i:bearer|authorization:)\s+)[\w.~+/=-]{8,}"
    r"|(?P<key>\b(?:sk|pk|rk)-)[\w-]{16,}"
    r"|\+\d[\d ()-]{7,}\d"
)
# Whatever `SECRETS` finds holds one of these: most lines need no closer look, which costs seventy
# times as much.
MARKS = ("@", "+", "k-", "bearer", "authorization:")


def redact(line: str) -> str:
    """Mask mail addresses, phone numbers, passwords in URLs, and keys."""
    lowered = line.lower()
    if line.isascii() and not any(mark in lowered for mark in MARKS):
        return line

    def mask(found: re.Match[str]) -> str:
        kept = found["url"] or found["bearer"] or found["key"] or ""
        return kept + ("[e-mail]" if found["mail"] else "[hidden]")

    return SECRETS.sub(mask, line)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _with_request(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if known := request_id.get():
        event.setdefault("request_id", known)
    if found := tracing.ids():
        event["trace_id"], event["span_id"] = found
    return event


def _counted(_: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of our own lines: those of libraries may say anything."""
    if method in TOLD:
        LINES.add(str(event["event"]), "warning" if method == "warning" else "error")
    return event


SHARED: list[structlog.typing.Processor] = [
    _with_request,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
]


def json_lines() -> logging.Formatter:
    """A line of JSON each, redacted."""
    return _RedactingFormatter(
        foreign_pre_chain=SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(
                serializer=lambda event, **_: orjson.dumps(event, default=repr).decode()
            ),
        ],
    )


def _lines_to_read() -> logging.Formatter:
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(),
        # The richer one prints local variables: mailed links, passwords.
        exception_formatter=structlog.dev.plain_traceback,
    )
    return _RedactingFormatter(
        foreign_pre_chain=SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, console],
    )


def configure() -> None:
    """Send every logger of the process through one handler."""
    settings = get_settings()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _counted,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # None of our lines tells these, and finding out is half the cost of a line.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_lines_to_read() if settings.app_env == "development" else json_lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "procrastinate"):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = name != "uvicorn.access"  # our own line replaces it
    for name in ("procrastinate", "alembic", "aiohttp.access"):
        logging.getLogger(name).setLevel("WARNING")
