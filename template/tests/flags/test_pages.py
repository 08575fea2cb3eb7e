from typer.testing import CliRunner

from app.core.ids import uuid7
from app.flags import state
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
    assert "25 % of people in 1 organisations with the role member" in " ".join(page.text.split())
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


def test_the_command_line_says_what_it_does_not_understand():
    runner = CliRunner()
    assert runner.invoke(commands, ["set", "model.test", "perhaps"]).exit_code == 2
