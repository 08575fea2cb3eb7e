"""A feature that is switched off asks no model, in any process, also while the database is away."""

import asyncio
import os
import re
import sys
from uuid import UUID

import psycopg
import pytest

from app.clocks import kept
from app.core.settings import ROOT
from app.flags import state, switches
from app.flags.provider import client as openfeature
from app.flags.provider import enabled
from app.flags.state import Flag, place
from app.flags.switches import FeatureSwitchedOff
from app.llm import embeddings
from tests.factories import make_user, sign_in
from tests.llm.caller import Caller
from tests.llm.conftest import caller, wire_server  # noqa: F401 fixtures
from tests.usage.conftest import person_of

OFF = {"enabled": False, "reason": "It told a customer the truth."}


async def test_a_feature_is_stopped_before_a_byte_is_sent_and_goes_on_afterwards(
    client,
    operator,
    caller,  # noqa: F811
    wire_server,  # noqa: F811
):
    assert (await client.put("/api/flags/model.test", json=OFF)).status_code == 204
    await state.kept.refresh()
    refusal = await caller.refused(FeatureSwitchedOff)
    assert (refusal.status, refusal.type) == (503, "/problems/feature-switched-off")
    assert int(refusal.headers["Retry-After"]) > 0
    assert (wire_server.connections, wire_server.bytes_received) == (0, 0)
    assert await caller.entries() == []
    assert (await caller.event()).detail["problem"] == "feature-switched-off"
    # Another feature goes on; and one switch stops them all.
    assert (await caller.ask(feature="another"))[1]
    await client.put("/api/flags/model.all", json=OFF)
    await state.kept.refresh()
    await caller.refused(FeatureSwitchedOff, feature="another")
    for name in ("model.all", "model.test"):
        await client.put(f"/api/flags/{name}", json={"enabled": True, "reason": "Mended."})
    await state.kept.refresh()
    assert (await caller.ask())[1]
    events = (await client.get("/api/audit", params={"action": "flags.set"})).json()["events"]
    assert [one["target"] for one in events][:4] == [
        "model.test",
        "model.all",
        "model.all",
        "model.test",
    ]
    assert events[3]["detail"]["enabled"] is False
    assert events[0]["user_id"] == str(operator.user_id)


async def test_off_for_one_organisation_wins_over_all_else_and_stops_nobody_else(
    client,
    operator,
    caller,  # noqa: F811
    wire_server,  # noqa: F811
):
    here = str(caller.person.organization_id)
    neighbour = Caller(person_of(await make_user()))
    wanted = {"enabled": True, "off_for": [here], "reason": "It promises refunds there."}
    for name in ("model.test", "model.all"):
        # Also where it is targeted at them by name.
        for more in ({}, {"organizations": [here, str(neighbour.person.organization_id)]}):
            answer = await client.put(f"/api/flags/{name}", json=wanted | more)
            assert answer.status_code == 204
            await state.kept.refresh()
            sent = wire_server.bytes_received
            await caller.refused(FeatureSwitchedOff)
            assert wire_server.bytes_received == sent
            assert (await neighbour.ask())[1]
        # Who sets something else does not lift it in passing,
        left_out = {"enabled": True, "share": 100, "reason": "For all."}
        await client.put(f"/api/flags/{name}", json=left_out)
        await state.kept.refresh()
        await caller.refused(FeatureSwitchedOff)
        [found] = [one for one in (await client.get("/api/flags")).json() if one["name"] == name]
        assert found["off_for"] == [here]
        # and who lifts it says so.
        await client.put(f"/api/flags/{name}", json=left_out | {"off_for": []})
        await state.kept.refresh()
        assert (await caller.ask())[1]
    events = (await client.get("/api/audit", params={"action": "flags.set"})).json()["events"]
    assert [one["detail"]["off_for"] for one in events[:4]] == [[], [here], [here], [here]]
    # An administrator of that organisation changes nothing about it.
    await sign_in(client, await make_user(UUID(here), role="admin"), second_factor=True)
    mine = await client.put("/api/flags/model.test", json=wanted | {"off_for": []})
    assert mine.status_code == 403


async def command(*words: str) -> tuple[int, str]:
    """Run `app flags` as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", "flags", *words),
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.dear
async def test_what_another_process_switches_off_is_noticed_here(operator):
    beat = asyncio.create_task(kept.beat())
    try:
        status, told = await command("set", "model.assistant", "off")
        assert status != 0
        assert "--because" in told
        status, told = await command("set", "model.assistant", "off", "--because", "Invents")
        assert status == 0, told
        async with asyncio.timeout(20):
            while (found := state.flag("model.assistant")) is None or found.enabled:
                await asyncio.sleep(0.02)
        one = str(operator.organization_id)
        status, told = await command(
            *("set", "model.test", "on", "--off-for", one, "--because", "Invents there")
        )
        assert status == 0, told
        async with asyncio.timeout(20):
            while (found := state.flag("model.test")) is None or not found.off_for:
                await asyncio.sleep(0.02)
        assert found.off_for == {operator.organization_id}
    finally:
        beat.cancel()
    assert kept.BEAT_SECONDS <= 0.5
    _, listed = await command("list")
    [line] = [one for one in listed.splitlines() if re.search(r"model\.assistant\s", one)]
    assert " no " in line


async def test_while_the_database_is_away_what_was_known_last_holds(client, operator, monkeypatch):
    await client.put("/api/flags/model.test", json=OFF)
    await state.kept.refresh()

    async def away(*_):
        raise psycopg.OperationalError

    monkeypatch.setattr(kept, "fetch_all", away)
    monkeypatch.setattr(state.kept, "_read_at", -1000.0)
    whose = {"organization_id": operator.organization_id}
    with pytest.raises(FeatureSwitchedOff):
        await switches.check("test", **whose)
    await switches.check("another", **whose)
    # Whoever never knew anything lets nothing through.
    monkeypatch.setattr(state.kept, "known", None)
    with pytest.raises(state.FlagsNotLoaded):
        await switches.check("another", **whose)


async def test_asking_costs_no_statement(operator, monkeypatch):
    await state.kept.refresh()

    async def unwanted(*_):
        pytest.fail("It asked the database.")

    monkeypatch.setattr(kept, "fetch_all", unwanted)
    await switches.check("test", organization_id=operator.organization_id)


async def test_vectors_are_a_feature_too(client, operator, configure):
    configure(
        LLM_PROVIDER="compatible",
        LLM_BASE_URL="http://127.0.0.1:9/v1",
        LLM_MODEL="m",
        LLM_API_KEY="x" * 20,
        LLM_EMBEDDING_MODEL="vectors",
    )
    await client.put("/api/flags/model.documents", json=OFF)
    await state.kept.refresh()
    with pytest.raises(FeatureSwitchedOff):
        await embeddings.embed(
            ["A text"],
            organization_id=operator.organization_id,
            user_id=None,
            feature="documents",
        )


async def test_only_those_who_run_the_app_see_and_set_flags(client, operator, operators):
    for someone in (await make_user(role="admin"), await make_user(operators)):
        await sign_in(client, someone, second_factor=True)
        assert (await client.get("/api/flags")).status_code == 403
        assert (await client.put("/api/flags/model.test", json=OFF)).status_code == 403


async def test_what_no_code_asks_for_and_what_is_no_flag_is_refused(client, operator):
    assert (await client.put("/api/flags/nonsense", json=OFF)).status_code == 404
    assert (await client.put("/api/flags/model.A B", json=OFF)).status_code == 404
    for wrong in ({"share": 101}, {"reason": " "}, {"more": 1}):
        assert (await client.put("/api/flags/model.test", json=OFF | wrong)).status_code == 422
    found = {one["name"]: one for one in (await client.get("/api/flags")).json()}
    assert found["model.all"]["enabled"]


def flag(**values):
    everyone = {"enabled": True, "share": 100, "organizations": frozenset(), "roles": frozenset()}
    return Flag("f", **everyone | values)


def test_a_share_is_the_same_people_each_time_and_about_as_many_as_it_says():
    people = [f"person {n}" for n in range(4000)]
    few = {one for one in people if flag(share=20).is_on_for(None, "", one)}
    assert 0.17 < len(few) / len(people) < 0.23
    more = {one for one in people if flag(share=50).is_on_for(None, "", one)}
    assert few < more  # Who had it keeps it.
    assert not any(flag(share=0).is_on_for(None, "", one) for one in people)
    assert all(flag(share=100).is_on_for(None, "", one) for one in people)
    # Another flag is another draw: the same few do not get everything first.
    assert len({place("g", one) < 2000 for one in few}) == 2


async def test_code_asks_openfeature_and_gets_what_was_set_for_whom(operator, monkeypatch):
    person, colleague = person_of(operator), person_of(await make_user())
    aimed = flag(organizations=frozenset({person.organization_id}), roles=frozenset({"admin"}))
    monkeypatch.setattr(state.kept, "known", {"f": aimed})
    assert enabled("f", person)
    assert not enabled("f", colleague)
    assert enabled("unknown", person, default=True)
    assert not enabled("unknown", person)
    monkeypatch.setattr(state.kept, "known", {"f": flag(enabled=False)})
    found = openfeature().get_boolean_details("f", True)
    assert (found.value, found.reason) == (False, "DISABLED")
    assert openfeature().get_string_value("f", "as it was") == "as it was"
