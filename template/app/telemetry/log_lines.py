"""Sends the lines of the log to the collector that gets the traces, as they are on standard output.

A line leaves as it was redacted. Beside it stand its request's id and its trace, so that a store
finds all lines of one request, and the way from a trace to them and back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import orjson

from app.core.logging import json_lines
from app.telemetry.settings import TracingSettings

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.context import Context

# What fails to send would send that it failed.
OWN = ("opentelemetry", "urllib3", "requests")
SEVERITY = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}


@asynccontextmanager
async def lines_sent() -> AsyncIterator[None]:
    """Lines are sent while the block runs, if the settings say so."""
    settings = TracingSettings.load()
    if not settings.exporter_otlp_endpoint or settings.logs_exporter == "none":
        yield
        return
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    provider = LoggerProvider(resource=Resource.create(settings.named()), shutdown_on_exit=False)
    address = settings.exporter_otlp_endpoint.rstrip("/") + "/v1/logs"
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=address)))
    handler = _Sender(provider.get_logger("app"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        # It waits for the collector.
        await asyncio.to_thread(provider.shutdown)


class _Sender(logging.Handler):
    def __init__(self, logger: "Logger") -> None:
        super().__init__()
        self.setFormatter(json_lines())
        self.to = logger

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(OWN):
            return
        from opentelemetry._logs import SeverityNumber

        try:
            line = self.format(record)
            told = orjson.loads(line)
            known = told.get("request_id")
            self.to.emit(
                timestamp=int(record.created * 1_000_000_000),
                context=_context(told.get("trace_id"), told.get("span_id")),
                severity_text=told.get("level"),
                severity_number=SeverityNumber(SEVERITY.get(told.get("level"), 9)),
                body=line,
                attributes={"request_id": known} if known else None,
            )
        except Exception:  # noqa: BLE001 a line that cannot be sent stands on standard output
            self.handleError(record)


def _context(trace_id: str | None, span_id: str | None) -> "Context | None":
    if not trace_id or not span_id:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    found = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1)
    )
    return set_span_in_context(NonRecordingSpan(found))
