"""What a collector gets, over HTTP; and that nothing is done while there is none."""

import asyncio
import json
import logging
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.core import tracing
from app.core.db import transaction
from app.core.logging import log
from app.core.settings import ROOT
from app.jobs.queue import enqueue, run_until_empty
from app.telemetry.log_lines import lines_sent
from app.telemetry.tracing import traced
from app.tools.registry import Arguments, Use
from tests.asking import browser as browser
from tests.asking import browser_of as browser_of
from tests.asking import model as model
from tests.jobs.sample_jobs import QUEUE
from tests.llm.conftest import caller as caller
from tests.llm.conftest import wire_server as wire_server
from tests.llm.wire_server import Behaviour
from tests.telemetry.test_figures import ID
from tests.tools.conftest import asks, says, uses
from tests.tools.conftest import plays as plays
from tests.tools.conftest import tool as tool

WORDS = "Does the xylophone play at ada@example.com?"


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self):
        self.bodies = []
        self.logs = []
        self.connections = []

    async def __call__(self, reader, writer):
        self.connections.append(writer.transport)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                taken = self.logs if head.startswith(b"post /v1/logs ") else self.bodies
                assert head.startswith((b"post /v1/traces ", b"post /v1/logs "))
                taken.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    @property
    def spans(self):
        return [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def lines(self):
        return [
            (resource.resource, line)
            for body in self.logs
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in resource.scope_logs
            for line in scope.log_records
        ]

    def named(self, start):
        found = [one for one in self.spans if one.name.startswith(start)]
        assert found, (start, [one.name for one in self.spans])
        return found[-1]


def attributes(span):
    return {one.key: _value(one.value) for one in span.attributes}


def _value(value):
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(one) for one in found.values] if kind == "array_value" else found


@pytest.fixture
async def collecting(configure):
    """`async with collecting() as collector:`; what was sent is there after it."""

    @asynccontextmanager
    async def run(**settings):
        collector = Collector()
        server = await asyncio.start_server(collector, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        configure(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", **settings)
        async with traced(), lines_sent():
            yield collector
        server.close()
        # The exporter keeps its connection; ours would stay open until somebody looks.
        for one in collector.connections:
            one.abort()
        await asyncio.sleep(0)

    return run


async def test_a_question_is_one_trace_from_the_request_to_the_provider(
    browser, model, collecting, caplog
):
    conversation = await browser.new()
    async with collecting() as collector:
        await browser.ask(conversation, WORDS)
    request = collector.named("POST /api/conversations/{conversation_id}/messages")
    answer, chat = collector.named("answer assistant"), collector.named("chat small-1")
    guard, step = collector.named("guard "), collector.named("input_guards")
    assert answer.parent_span_id == request.span_id
    assert step.parent_span_id == chat.parent_span_id == answer.span_id
    assert guard.parent_span_id == step.span_id
    assert {one.trace_id for one in (request, answer, chat, guard, step)} == {request.trace_id}
    assert attributes(request)["http.response.status_code"] == 200
    told = attributes(chat)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "compatible"
    assert told["gen_ai.request.model"] == "small-1"
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["gen_ai.response.time_to_first_chunk"] >= 0
    lines = [one.msg for one in caplog.records if isinstance(one.msg, dict)]
    line = next(one for one in lines if one["event"] == "model.answered")
    assert line["trace_id"] == request.trace_id.hex()

    # The log's lines are there too, with their request and their trace.
    sent = [(where, one, json.loads(one.body.string_value)) for where, one in collector.lines]
    where, line, told = next(one for one in sent if one[2]["event"] == "model.answered")
    assert attributes(where)["service.name"]
    assert line.trace_id == request.trace_id
    assert line.span_id in {one.span_id for one in collector.spans}
    assert line.severity_text == "info"
    known = attributes(request)["app.request_id"]
    assert len(known) >= 8
    assert attributes(line)["request_id"] == told["request_id"] == known

    # What people write, and who they are, is in none of it.
    ours = [one.SerializeToString() for _, one, told in sent if told["logger"] != "httpx2"]
    everything = b"".join([*collector.bodies, *ours])
    someone = browser.someone
    for secret in ("xylophone", "ada@", someone.email, str(someone.user_id), conversation):
        assert secret.encode() not in everything
    assert not [
        one
        for span in collector.spans
        for one in attributes(span).values()
        if one != known and ID.search(str(one))
    ]


class Note(Arguments):
    words: str


async def test_a_tool_and_the_job_that_it_left_stand_in_the_trace_of_the_question(
    browser, plays, tool, collecting, tmp_path
):
    """Which of them was slow is seen in one place."""

    @tool(title="Note", permission="assistant.use", stakes="write")
    async def note_down(db, use: Use, arguments: Note) -> str:
        """Note down."""
        await enqueue(db, "sample.note", path=str(tmp_path / "notes"))
        return f"{arguments.words}: noted."

    plays(asks(("note_down", {"words": "A xylophone"})), says("Done."))
    conversation = await browser.new()
    async with collecting() as collector:
        events = await browser.ask(conversation, "Note it down.")
        await run_until_empty(QUEUE)

    assert uses(events) == [("note_down", "done", "")]
    request = collector.named("POST /api/conversations/{conversation_id}/messages")
    used, job = collector.named("execute_tool note_down"), collector.named("job sample.note")
    chats = [one for one in collector.spans if one.name == "chat small-1"]
    assert len(chats) == 2, "before the tool and after it"
    assert {one.trace_id for one in (used, job, *chats)} == {request.trace_id}
    by_id = {one.span_id: one for one in collector.spans}
    assert used.parent_span_id in by_id
    assert job.parent_span_id == used.span_id
    told = attributes(used)
    assert told["gen_ai.operation.name"] == "execute_tool"
    assert told["gen_ai.tool.name"] == "note_down"
    assert told["app.tool.state"] == "done"
    assert b"xylophone" not in b"".join(collector.bodies), "what it was given, and what it said"


async def test_a_line_leaves_redacted_and_only_when_it_may(collecting):
    async with collecting() as collector:
        log.warning("probe.told", at="ada@example.com")
        logging.getLogger("opentelemetry.exporter").warning("it would never end")
    [line] = [one.body.string_value for _, one in collector.lines]
    assert json.loads(line)["at"] == "[e-mail]"
    assert json.loads(line)["level"] == "warning"
    async with collecting(OTEL_LOGS_EXPORTER="none") as collector:
        log.warning("probe.told")
    assert not collector.logs


async def test_words_are_sent_when_a_setting_says_so_and_then_masked(caller, collecting):
    async with collecting(OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true") as collector:
        await caller.ask(WORDS)
    told = attributes(collector.named("chat m"))
    assert "xylophone" in told["gen_ai.input.messages"]
    assert "ada@example.com" not in told["gen_ai.input.messages"]
    assert "word1" in told["gen_ai.output.messages"]


async def test_an_error_is_told_by_its_kind(caller, wire_server, collecting):
    wire_server.behaviour = Behaviour(status=401, error={"error": {"message": "secret words"}})
    async with collecting() as collector:
        with pytest.raises(Exception):  # noqa: B017, PT011 whichever problem it is
            await caller.ask("What is it?")
    assert attributes(collector.named("chat m"))["error.type"] == "KeyRefused"
    assert attributes(collector.named("answer"))["app.outcome"] == "failed"
    assert b"secret words" not in b"".join(collector.bodies)


async def test_a_job_belongs_to_the_trace_of_who_asked_for_it(collecting, tmp_path):
    async with collecting() as collector:
        with tracing.span("asking") as asking:
            async with transaction() as db:
                await enqueue(db, "sample.note", path=str(tmp_path / "notes"))
        await run_until_empty(QUEUE)
        trace = f"{asking.get_span_context().trace_id:032x}"
    job = collector.named("job sample.note")
    assert job.trace_id.hex() == trace
    assert job.parent_span_id == collector.named("asking").span_id
    assert (tmp_path / "notes").read_text()


async def test_a_trace_that_nobody_knows_does_not_harm_a_job(collecting, tmp_path):
    async with collecting():
        assert tracing.of("no trace at all") is None
    assert tracing.begin("off") is None
    assert tracing.ids() is None
    assert tracing.carried() == ""


@pytest.mark.dear
def test_without_a_collector_nothing_of_it_is_imported():
    code = (
        "import sys\nfrom app.serving import create_app\ncreate_app()\n"
        "print([one for one in sys.modules if one.startswith(('opentelemetry.sdk',"
        " 'opentelemetry.exporter', 'google.protobuf'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
