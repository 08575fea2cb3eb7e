import asyncio
import re
from types import SimpleNamespace

from typer.testing import CliRunner

from app.core import db
from app.core.ids import uuid7
from app.flags import service, state
from app.flags.commands import commands

HTML = {"Accept": "text/html"}


async def test_an_operator_stops_a_feature_and_sees_who_did_it_and_why(client, operator):
    assert "model.all" in (await client.get("/admin/flags", headers=HTML)).text
    fields = {"share": "100", "role": "", "organizations": "", "reason": "It invents refunds."}
    page = await client.post(
        "/admin/flags/model.test", data=fields, headers=HTML, follow_redirects=True
    )
    assert "model.test is off." in page.text
    assert "It invents refunds." in page.text
    assert "Ada Lovelace" in page.text
    await state.kept.refresh()
    assert not state.flag("model.test").enabled
    shown = await client.get("/admin/flags/model.test", headers=HTML)
    assert "Switched off" in shown.text
    fields = {"enabled": "on", "share": "25", "organizations": "nonsense", "reason": "Try it."}
    wrong = await client.post("/admin/flags/model.test", data=fields, headers=HTML)
    assert (wrong.status_code, "field-error" in wrong.text) == (422, True)
    fields |= {"organizations": str(operator.organization_id), "role": "member"}
    page = await client.post(
        "/admin/flags/model.test", data=fields, headers=HTML, follow_redirects=True
    )
    assert "25 % of people in 1 organisation with the role member" in " ".join(page.text.split())
    two = "\n".join(sorted([str(operator.organization_id), str(uuid7())]))
    page = await client.post(
        "/admin/flags/model.test",
        data=fields | {"organizations": two},
        headers=HTML,
        follow_redirects=True,
    )
    assert "in 2 organisations" in " ".join(page.text.split())
    assert two in (await client.get("/admin/flags/model.test", headers=HTML)).text
    fields = {"enabled": "on", "share": "100", "off_for": two, "reason": "Not there."}
    page = await client.post(
        "/admin/flags/model.test", data=fields, headers=HTML, follow_redirects=True
    )
    assert "Everyone, but off in 2 organisations" in " ".join(page.text.split())
    assert two in (await client.get("/admin/flags/model.test", headers=HTML)).text
    assert (await client.get("/admin/flags/nonsense", headers=HTML)).status_code == 404


async def test_with_everything_off_no_switch_looks_as_if_it_were_on(client, operator):
    assert "Nothing asks a model" not in (await client.get("/admin/flags", headers=HTML)).text
    fields = {"share": "100", "reason": "It tells secrets."}
    await client.post("/admin/flags/model.all", data=fields, headers=HTML)
    assert "Nothing asks a model" in (await client.get("/admin/flags", headers=HTML)).text


async def test_nobody_undoes_on_the_page_what_was_set_after_it_was_opened(client, operator):
    here, address = str(operator.organization_id), "/admin/flags/model.test"
    wanted = {"enabled": True, "roles": ["admin", "member"], "reason": "Not for reviewers."}
    assert (
        await client.put(f"/api{address[6:]}", json=wanted | {"off_for": []})
    ).status_code == 204
    opened = (await client.get(address, headers=HTML)).text
    seen = re.search(r'name="seen" value="([^"]+)"', opened)[1]
    assert 'value="admin,member" selected' in opened
    fields = {"enabled": "on", "share": "50", "role": "admin,member", "reason": "Half of them."}
    # Meanwhile somebody stops it in one organisation.
    stopped = wanted | {"off_for": [here], "reason": "It invents refunds there."}
    await client.put(f"/api{address[6:]}", json=stopped)
    page = await client.post(address, data=fields | {"seen": seen}, headers=HTML)
    assert (page.status_code, "meanwhile" in page.text, here in page.text) == (409, True, True)

    seen = re.search(r'name="seen" value="([^"]+)"', page.text)[1]
    fields |= {"seen": seen, "off_for": here}
    assert (await client.post(address, data=fields, headers=HTML)).status_code == 303
    found = (await client.get("/api/flags")).json()
    one = next(each for each in found if each["name"] == "model.test")
    assert (one["roles"], one["off_for"], one["share"]) == (["admin", "member"], [here], 50)


async def test_of_two_who_set_a_flag_for_the_first_time_the_second_looks_again(client, operator):
    name = f"model.once-{uuid7()}"

    async def one(share: int) -> str:
        try:
            async with db.transaction(elevated=True) as session:
                await service.set_flag(
                    session,
                    name,
                    enabled=True,
                    share=share,
                    reason="For a few.",
                    organization_id=operator.organization_id,
                    seen="never",
                )
        except service.FlagChangedMeanwhile:
            return "looks again"
        return "set"

    assert sorted(await asyncio.gather(one(1), one(2))) == ["looks again", "set"]


async def test_a_flag_that_is_stopped_and_started_again_is_on_for_whom_it_was(client, operator):
    here = str(operator.organization_id)
    few = {"enabled": True, "share": 10, "organizations": [here], "roles": ["admin"]}
    wanted = few | {"off_for": [], "reason": "For a few."}
    await client.put("/api/flags/model.test", json=wanted)

    async def told(*arguments: str) -> dict:
        given = ["set", "model.test", *arguments, "--because", "For a test."]
        await db.close()  # The command has a loop of its own, and what is left open has this one.
        done = await asyncio.to_thread(CliRunner().invoke, commands, given)
        assert done.exit_code == 0, done.output
        found = (await client.get("/api/flags")).json()
        return next(one for one in found if one["name"] == "model.test")

    await told("off")
    one = await told("on")
    assert {name: one[name] for name in few} == few
    one = await told("on", "--everyone")
    assert (one["share"], one["organizations"], one["roles"]) == (100, [], [])


def test_the_command_line_says_what_it_does_not_understand():
    runner = CliRunner()
    assert runner.invoke(commands, ["set", "model.test", "perhaps"]).exit_code == 2


async def test_where_another_provider_answers_the_page_says_so(
    client, operator, configure, monkeypatch
):
    own = SimpleNamespace(FLAGS={"orders.new": "The new order."})
    monkeypatch.setattr(service, "parts", lambda _: (own,))
    assert "holds for none of them" not in (await client.get("/admin/flags", headers=HTML)).text
    configure(FLAGS_PROVIDER="elsewhere.flags:Provider")
    page = (await client.get("/admin/flags", headers=HTML)).text
    assert "elsewhere.flags:Provider answers these" in page
