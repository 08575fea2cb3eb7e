"""Sends spans to an OpenTelemetry collector, when a setting names one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core import tracing
from app.telemetry.settings import TracingSettings


@asynccontextmanager
async def traced() -> AsyncIterator[None]:
    """Spans are made and sent while the block runs, if the settings say so."""
    settings = TracingSettings.load()
    if not settings.exporter_otlp_endpoint:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        resource=Resource.create(settings.named()),
        sampler=ParentBased(TraceIdRatioBased(settings.traces_sampler_arg)),
        shutdown_on_exit=False,
    )
    address = settings.exporter_otlp_endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    words = settings.instrumentation_genai_capture_message_content
    tracing.use(provider.get_tracer("app"), shows_words=words)
    try:
        yield
    finally:
        tracing.use(None)
        # It waits for the collector.
        await asyncio.to_thread(provider.shutdown)
