"""From a rule on numbers to a trained model that is proposed, against a provider on a socket."""

import re
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from aiohttp import web
from sqlalchemy import delete, select

from app.core import db
from app.core.clock import now
from app.core.ids import uuid7
from app.core.outbound import OutboundFailed
from app.evals import cases, work
from app.evals.models import EvalRun
from app.mail import service as mail
from app.monitoring import dataset, deciding, jobs, retraining, tuning
from app.monitoring.drift_tests import Window
from app.monitoring.models import Decision
from app.monitoring.rules import Facts, Rule, rules, verdict
from app.review.cases import RUBRIC
from app.review.models import ReviewCase
from app.users.entitled import entitled
from tests.factories import make_organization, make_user, sign_in
from tests.monitoring.conftest import says
from tests.prompts.conftest import seeded as seeded
from tests.usage.test_told import mails_to

TUNED = "ft:small-1:eighty"


class Provider:
    """OpenAI's files and fine_tuning/jobs, as far as they are asked here."""

    def __init__(self):
        self.files, self.jobs, self.removed, self.failures = {}, {}, [], 0
        self.loses_answers, self.hides_jobs = False, 0
        """It begins and nobody hears of it; the status with which it lists no jobs."""

    def app(self):
        made = web.Application()
        made.router.add_post("/v1/files", self.upload)
        made.router.add_delete("/v1/files/{id}", self.remove)
        made.router.add_get("/v1/fine_tuning/jobs", self.listed)
        made.router.add_post("/v1/fine_tuning/jobs", self.create)
        made.router.add_get("/v1/fine_tuning/jobs/{id}", self.read)
        return made

    async def upload(self, request):
        assert request.headers["Authorization"] == "Bearer tuning-key"
        form = await request.post()
        assert form["purpose"] == "fine-tune"
        name = f"file-{len(self.files)}"
        self.files[name] = form["file"].file.read()
        return web.json_response({"id": name, "object": "file", "purpose": "fine-tune"})

    async def remove(self, request):
        if request.match_info["id"] in self.removed:
            return web.json_response({"error": {"message": "No such File object"}}, status=404)
        self.removed.append(request.match_info["id"])
        return web.json_response({"id": request.match_info["id"], "deleted": True})

    async def listed(self, _):
        if self.hides_jobs:
            return web.json_response({}, status=self.hides_jobs)
        return web.json_response({"object": "list", "data": list(self.jobs.values())})

    async def create(self, request):
        if self.failures:
            self.failures -= 1
            return web.json_response({"error": {"message": "overloaded"}}, status=503)
        wanted = await request.json()
        assert wanted["training_file"] in self.files
        job = {"id": f"ftjob-{uuid7()}", "status": "running", "fine_tuned_model": None}
        self.jobs[job["id"]] = job | wanted
        if self.loses_answers:
            return web.json_response({}, status=504)
        return web.json_response(self.jobs[job["id"]])

    async def read(self, request):
        return web.json_response(self.jobs[request.match_info["id"]])


@pytest.fixture
async def provider(configure):
    made = Provider()
    runner = web.AppRunner(made.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    configure(
        MONITORING_TUNING_BASE_URL=f"http://127.0.0.1:{port}/v1",
        MONITORING_TUNING_MODEL="small-1",
        MONITORING_TUNING_API_KEY="tuning-key",
    )
    yield made
    await runner.cleanup()


SUITE = """
suite: tuned
title: Tuned
prompt: {name}
floor: 1
cases:
  - {{id: one, input: "How much?", expect: {{contains: "42"}}}}
  - {{id: held, input: "What is  held OUT?", split: held-out, expect: {{contains: "42"}}}}
"""
RULE = """
[[rule]]
name = "{rule}"
feature = "assistant"
prompt = "{name}"
action = "fine-tune"
needs = 20
when = {{ corrections = 25 }}
"""


async def correct(organization_id, name, count, **values):
    async with db.transaction(organization_id=organization_id) as session:
        for n in range(count):
            made = ReviewCase(
                id=uuid7(),
                organization_id=organization_id,
                prompt=name,
                context=[],
                origin={},
                **{
                    "question": f"Question {n}?",
                    "expect": {"rubric": f"{RUBRIC}Answer {n}."},
                }
                | values,
            )
            session.add(made)


@pytest.fixture
async def prompt(seeded, configure, tmp_path, monkeypatch):
    """A prompt with a suite and a rule of its own."""
    name = await seeded("You answer. It is {{today}}.")
    (tmp_path / "suite.yml").write_text(SUITE.format(name=name), encoding="utf-8")
    own = lambda *, prompt: cases.suites(tmp_path, prompt=prompt)  # noqa: E731
    monkeypatch.setattr(work, "suites", own)
    monkeypatch.setattr(dataset, "suites", own)
    rule = f"rule-{uuid7().hex[-8:]}"
    (tmp_path / "rules.toml").write_text(RULE.format(name=name, rule=rule), encoding="utf-8")
    configure(
        MONITORING_RULES_FILE=tmp_path / "rules.toml", USAGE_ORGANIZATION_DOLLARS_PER_MONTH=""
    )
    return name, rule


async def decision_of(client, rule):
    found = (await client.get("/api/monitoring/decisions")).json()
    return next((one for one in found if one["rule"] == rule), None)


async def test_corrections_are_trained_on_evaluated_and_proposed(
    client, operator, prompt, provider, model
):
    name, rule = prompt
    mine = operator.organization_id
    await correct(mine, name, 24)
    await deciding.decide()
    first = await decision_of(client, rule)
    assert (first["state"], first["reasons"]) == ("nothing", [])
    assert first["numbers"]["new_corrections"] == 24

    await correct(mine, name, 6)
    await correct(mine, name, 1, question="what is held out?")
    await correct(mine, name, 1, question="Mail ada@example.com?")
    await correct(mine, name, 1, expect={"contains": "a part"})
    stranger = await make_organization()
    await correct(stranger.id, name, 5, question="Theirs?")
    await deciding.decide()
    await deciding.decide()
    one = await decision_of(client, rule)
    assert one["id"] == first["id"]
    assert one["state"] == "decided"
    assert one["reasons"] == ["33 new corrections, 25 are enough."]
    assert (one["numbers"]["examples"], one["numbers"]["needs"]) == (30, 20)

    exported = await client.get("/api/monitoring/dataset", params={"prompt": name})
    lines = [orjson.loads(line) for line in exported.content.splitlines()]
    assert [m["role"] for m in lines[0]["messages"]] == ["system", "user", "assistant"]
    assert lines[0]["messages"][0]["content"].startswith("You answer. It is Wednesday")
    assert re.fullmatch(r"Answer \d+\.", lines[0]["messages"][2]["content"])
    for word in ("held out", "ada@", "Theirs", "a part"):
        assert word not in exported.text
    events = (await client.get("/api/audit", params={"action": "monitoring"})).json()["events"]
    told = next(e for e in events if e["action"] == "monitoring.dataset_exported")["detail"]
    assert (told["held_out"], told["personal"], told["unusable"]) == (1, 1, 1)
    assert told["training"] + told["validation"] == 30

    address = f"/api/monitoring/decisions/{one['id']}"
    assert provider.files == {}  # Nothing is sent before somebody says so.
    assert (await client.post(f"{address}/start")).status_code == 202
    again = await client.post(f"{address}/start")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/not-decided")
    provider.failures = 1
    with pytest.raises(OutboundFailed):  # Not the last try.
        await retraining.begin(UUID(one["id"]))
    await jobs.begin(UUID(one["id"]))
    await retraining._set(UUID(one["id"]), job="")  # A worker died before it was noted.
    await jobs.begin(UUID(one["id"]))
    await jobs.begin(UUID(one["id"]))
    assert len(provider.jobs) == 1  # A second try uploads and starts nothing twice.
    sent = b"".join(provider.files.values())
    assert len(sent.splitlines()) == 30
    assert b"held out" not in sent
    assert b"ada@" not in sent
    [job] = provider.jobs.values()
    assert (job["model"], job["metadata"]) == ("small-1", {"decision": one["id"]})

    await jobs.follow()
    assert (await decision_of(client, rule))["state"] == "running"
    job |= {"status": "succeeded", "fine_tuned_model": TUNED, "trained_tokens": 1234}
    model.choose = lambda request: says(
        "It is 42." if request.body["model"] == TUNED else "It is 41."
    )
    await tuning.remove(next(iter(provider.files)))  # A worker died between two steps.
    await jobs.follow()
    done = await decision_of(client, rule)
    assert (done["state"], done["model"]) == ("proposed", TUNED)
    assert done["trained_tokens"] == 1234
    run = (await client.get(f"/api/evaluations/{done['run_id']}")).json()
    assert (run["passed"], run["model"]) == (True, TUNED)
    assert sorted(provider.removed) == sorted(provider.files)
    assert any(f"LLM_MODEL={TUNED}" in one.body for one in await mails_about(rule, operator))
    await jobs.follow()
    await deciding.decide()  # The rule rests for its days.
    assert (await decision_of(client, rule))["state"] == "proposed"

    # Died again, after the evaluation and before it was noted: nothing is asked or paid twice.
    asked = len(model.requests)
    await retraining._set(UUID(one["id"]), state="evaluating")
    await jobs.follow()
    assert (await decision_of(client, rule))["state"] == "proposed"
    again = (await client.get(f"/api/evaluations/{done['run_id']}")).json()
    assert (len(model.requests), again) == (asked, run)


async def mails_about(rule: str, operator) -> list[mail.Letter]:
    """Of those who are told the first one's: not everybody is in an organisation with many
    administrators, and by now other tests may have made them."""
    async with db.transaction(elevated=True) as session:
        first, *_ = await entitled(session, operator.organization_id, "monitoring.retrain")
    return [one for one in await mails_to(first) if rule in one.subject]


async def begun(operator, prompt, client):
    name, rule = prompt
    await correct(operator.organization_id, name, 30)
    await deciding.decide()
    one = await decision_of(client, rule)
    assert (await client.post(f"/api/monitoring/decisions/{one['id']}/start")).status_code == 202
    await retraining.begin(UUID(one["id"]))
    return rule


async def test_what_does_not_pass_or_is_not_trained_is_not_proposed(
    client, operator, prompt, provider, model
):
    rule = await begun(operator, prompt, client)
    [job] = provider.jobs.values()
    job |= {"status": "succeeded", "fine_tuned_model": TUNED}
    model.choose = lambda _: says("It is 41.")
    await jobs.follow()
    one = await decision_of(client, rule)
    assert (one["state"], "did not pass" in one["why"]) == ("failed", True)


async def test_a_training_that_fails_at_the_provider_ends_there(
    client, operator, prompt, provider, model
):
    rule = await begun(operator, prompt, client)
    [job] = provider.jobs.values()
    job |= {"status": "failed", "error": {"message": "Secret words of the provider."}}
    await jobs.follow()
    one = await decision_of(client, rule)
    assert (one["state"], one["why"]) == ("failed", "The provider says: failed.")
    assert sorted(provider.removed) == sorted(provider.files)


async def test_an_evaluation_that_never_ends_is_not_paid_for_ever(
    client, operator, prompt, provider, model, monkeypatch
):
    rule = await begun(operator, prompt, client)
    [job] = provider.jobs.values()
    job |= {"status": "succeeded", "fine_tuned_model": TUNED}

    async def takes_too_long(*_, **__):
        raise TimeoutError

    with monkeypatch.context() as slow:
        slow.setattr(work, "evaluate", takes_too_long)
        with pytest.raises(TimeoutError):
            await jobs.follow()
    run_id = (await decision_of(client, rule))["run_id"]
    async with db.transaction(elevated=True) as session:
        (await session.get_one(EvalRun, UUID(run_id))).created_at -= retraining.EVALUATING
    await jobs.follow()
    one = await decision_of(client, rule)
    assert (one["state"], one["why"]) == ("failed", "Its evaluation did not come to an end.")
    assert model.requests == []


async def test_what_is_corrected_while_a_training_runs_is_new_for_the_next(
    client, operator, prompt, provider, model
):
    name, _ = prompt
    rule = await begun(operator, prompt, client)
    [job] = provider.jobs.values()
    job |= {"status": "failed"}
    await jobs.follow()
    day = timedelta(days=1)
    async with db.transaction(elevated=True) as session:  # All that was two months ago.
        made = await session.scalar(select(Decision).where(Decision.rule == rule))
        assert made.read_at < made.looked_at
        made.read_at, made.looked_at = now() - 62 * day, now() - 60 * day
    async with db.transaction(organization_id=operator.organization_id) as session:
        await session.execute(delete(ReviewCase).where(ReviewCase.prompt == name))
    mine = operator.organization_id
    await correct(mine, name, 3, created_at=now() - 63 * day)  # It has learned from these.
    await correct(mine, name, 24, created_at=now() - 61 * day)  # While it trained.
    await deciding.decide()
    assert (await decision_of(client, rule))["numbers"]["new_corrections"] == 24
    await correct(mine, name, 1)
    await deciding.decide()
    assert (await decision_of(client, rule))["state"] == "decided"


async def test_only_those_who_run_the_app_decide(client, operator, prompt, provider):
    name, rule = prompt
    await correct(operator.organization_id, name, 30)
    await deciding.decide()
    one = await decision_of(client, rule)
    for someone in (
        await make_user(role="admin"),
        await make_user(operator.organization_id, role="reviewer"),
    ):
        await sign_in(client, someone, second_factor=True)
        for method, path in (
            ("GET", "decisions"),
            ("GET", f"dataset?prompt={name}"),
            ("POST", f"decisions/{one['id']}/start"),
            ("POST", f"decisions/{one['id']}/drop"),
        ):
            found = await client.request(method, f"/api/monitoring/{path}")
            assert found.status_code == 403, path
    assert provider.files == {}


def facts(**values):
    base = {"new_corrections": 0, "examples": 0, "drifting": (), "reference": Window()}
    return Facts(**base | {"current": Window()} | values)


def test_a_drop_counts_when_it_is_large_and_sure():
    rule = Rule.model_validate(
        {
            "name": "r1",
            "feature": "assistant",
            "action": "rebuild-index",
            "when": {"quality_drop": {"correct": 0.05}, "drift": ["topic"]},
        }
    )

    def said(before, now):
        windows = {"reference": Window(shares={"correct": before})}
        return verdict(rule, facts(**windows, current=Window(shares={"correct": now})))

    assert said((360, 400), (80, 100)).reasons[0].startswith("Correct fell by 10.0%")
    assert said((360, 400), (85, 100)).reasons == []  # By 5 points, but not surely.
    assert said((9000, 10000), (8700, 10000)).reasons == []  # Surely, but by 3 points.
    assert said((360, 400), (20, 40)).reasons == []  # Too few.
    assert said((360, 400), (20, 40)).numbers["quality"]["correct"]["now"] == [20, 40]
    assert verdict(rule, facts(drifting=("topic",))).reasons == ["Drift of topic."]
    assert verdict(rule, facts(drifting=("language",))).reasons == []


def test_the_rules_that_come_along_can_be_read():
    assert {one.action for one in rules()} == {"fine-tune", "rebuild-index"}
