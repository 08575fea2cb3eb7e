"""Traces: which parts a request or a job had, and how long each took.

    with tracing.span("guard injection", {"app.guard": name}):
        ...

Off, unless `app/telemetry/tracing.py` starts it, and then OpenTelemetry is not even imported. Spans
hold words of the code, models and numbers: never ids of people, and what they wrote only when a
setting says so. An error is told by its kind, as its sentence may quote anything.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

Attributes = Mapping[str, Any]
NO_SPAN: AbstractContextManager[Any] = nullcontext()

_tracer: Any = None
_shows_words = False
current: ContextVar[Any] = ContextVar("span", default=None)


def use(tracer: Any, *, shows_words: bool = False) -> None:
    """Let this tracer make the spans; None: nobody does."""
    global _tracer, _shows_words
    _tracer, _shows_words = tracer, shows_words


def on() -> bool:
    return _tracer is not None


def shows_words() -> bool:
    return _shows_words


def begin(
    name: str, attributes: Attributes | None = None, *, kind: str = "INTERNAL", parent: Any = None
) -> Any:
    """A span that its caller ends; None while traces are off."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind, set_span_in_context

    above = parent if parent is not None else current.get()
    return _tracer.start_span(
        name,
        context=None if above is None else set_span_in_context(above),
        kind=SpanKind[kind],
        attributes=_clean(attributes or {}),
    )


def end(
    span: Any, attributes: Attributes | None = None, *, error: BaseException | str | None = None
) -> None:
    if span is None:
        return
    span.set_attributes(_clean(attributes or {}))
    if error is not None:
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", error if isinstance(error, str) else type(error).__name__)
        span.set_status(StatusCode.ERROR)
    span.end()


def span(
    name: str, attributes: Attributes | None = None, *, kind: str = "INTERNAL", parent: Any = None
) -> AbstractContextManager[Any]:
    """Around a piece of work without a `yield` in it: spans within become its children."""
    return (
        NO_SPAN if _tracer is None else _around(begin(name, attributes, kind=kind, parent=parent))
    )


@contextmanager
def _around(made: Any) -> Iterator[Any]:
    with inside(made):
        try:
            yield made
        except BaseException as error:
            end(made, error=error)
            raise
    end(made)


@contextmanager
def inside(span: Any) -> Iterator[None]:
    """What begins here is a child of this span."""
    if span is None:
        yield
        return
    token = current.set(span)
    try:
        yield
    finally:
        current.reset(token)


def ids() -> tuple[str, str] | None:
    """The trace and the span that work is done in, as logs and headers write them."""
    made = current.get()
    if made is None:
        return None
    context = made.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def carried() -> str:
    """The same as W3C's traceparent, to be kept with a job; empty while traces are off."""
    made = current.get()
    if made is None:
        return ""
    flags = made.get_span_context().trace_flags
    return "-".join(("00", *(ids() or ()), f"{flags:02x}"))


def of(traceparent: str) -> Any:
    """The span that `carried` told of, as parent of another one."""
    if _tracer is None or not traceparent:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

    try:
        _, trace_id, span_id, flags = traceparent.split("-")
        context = SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags))
        )
    except ValueError:
        return None
    return NonRecordingSpan(context)


def _clean(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None and value != ""}
