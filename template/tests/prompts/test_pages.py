"""Writing, comparing, releasing and rolling back on pages."""

from tests.factories import make_user
from tests.pages import browser  # noqa: F401 a fixture


async def test_an_operator_writes_releases_and_rolls_back(browser, operators, seeded):  # noqa: F811
    name = await seeded("Be kind.\nIt is {{today}}.")
    await browser.sign_in(await make_user(operators, role="admin"), second_factor=True)
    listed = await browser.open("/admin/prompts")
    assert f"/admin/prompts/{name}" in listed.links
    assert "/admin/prompts" in (await browser.open("/account")).links

    form = await browser.open(f"/admin/prompts/{name}/new")
    assert "Variables: {{today}}." in form.text
    refused = await form.send(
        f"/admin/prompts/{name}/versions", text="For {{customer}}", rationale="Shorter."
    )
    assert refused.status == 422
    assert "It has: today" in refused.errors["text"]
    made = await refused.send(
        f"/admin/prompts/{name}/versions", text="Be brief.\nIt is {{today}}.", rationale="Shorter."
    )
    assert made.path == f"/admin/prompts/{name}/versions/2"
    assert "removed: Be kind." in made.text.replace("removed : ", "removed: ")
    assert "added: Be brief." in made.text

    live = await made.send(
        f"/admin/prompts/{name}/versions/2/label", label="live", reason="Asked for."
    )
    assert "Version 2 is live" in live.text
    first = await browser.open(f"/admin/prompts/{name}/versions/1")
    back = await first.send(f"/admin/prompts/{name}/versions/1/label", label="live")
    assert "Version 1 is live" in back.text
    history = await browser.open(f"/admin/prompts/{name}")
    assert "Was live before" in history.text
    assert "Asked for." in history.text


async def test_a_customer_s_administrator_finds_no_link_and_no_page(browser, operators):  # noqa: F811
    await browser.sign_in(await make_user(role="admin"), second_factor=True)
    page = await browser.open("/account")
    assert "/admin/audit" in page.links
    assert "/admin/prompts" not in page.links
    assert (await browser.open("/admin/prompts")).status == 403


async def test_an_experiment_is_started_and_ended(browser, operators, seeded):  # noqa: F811
    name = await seeded("Be kind. {{today}}")
    await browser.sign_in(await make_user(operators, role="admin"), second_factor=True)
    form = await browser.open(f"/admin/prompts/{name}/new")
    await form.send(f"/admin/prompts/{name}/versions", text="Be brief.", rationale="Shorter.")
    page = await browser.open(f"/admin/prompts/{name}/experiments")
    plan = {"version": "2", "percent": "20", "points": "10", "hypothesis": "Liked more."}
    refused = await page.send(f"/admin/prompts/{name}/experiments", **plan)
    assert (refused.status, "No suite in evals/" in refused.text) == (409, True)
    shown = await refused.send(f"/admin/prompts/{name}/experiments", **plan, reason="To try.")
    assert "20 of 100 people" in shown.text
    assert "Too early: 0 people" in shown.text
    page = await browser.open(f"/admin/prompts/{name}/experiments")
    again = await page.send(f"/admin/prompts/{name}/experiments", **plan, reason="To try.")
    assert (again.status, "is running; end it first" in again.text) == (409, True)
    ended = await shown.send(f"{shown.path}/end", reason="Seen enough.")
    assert "It has ended." in ended.text
    listed = await browser.open(f"/admin/prompts/{name}/experiments")
    assert "Seen enough." in listed.text


async def test_a_shadow_is_started_and_ended(browser, operators, seeded):  # noqa: F811
    name = await seeded("Be kind. {{today}}")
    await browser.sign_in(await make_user(operators, role="admin"), second_factor=True)
    form = await browser.open(f"/admin/prompts/{name}/new")
    await form.send(f"/admin/prompts/{name}/versions", text="Be brief.", rationale="Shorter.")
    page = await browser.open(f"/admin/prompts/{name}/shadows")
    plan = {"version": "2", "percent": "5", "dollars_per_day": "0.5"}
    refused = await page.send(f"/admin/prompts/{name}/shadows", **plan | {"percent": "101"})
    assert (refused.status, refused.errors) == (422, {"percent": "Enter 100 or less."})
    shown = await refused.send(f"/admin/prompts/{name}/shadows", **plan)
    assert "$0.50 a day at most" in shown.text
    form = await browser.open(f"/admin/prompts/{name}/shadows")
    again = await form.send(f"/admin/prompts/{name}/shadows", **plan)
    assert (again.status, "A shadow of this prompt is running" in again.text) == (409, True)
    listed = await browser.open(f"/admin/prompts/{name}/experiments")
    [action] = {one.action for one in listed.forms if one.action.endswith("/end")}
    ended = await listed.send(action)
    assert "nothing more is asked" in ended.text
    await listed.send(action)  # Twice is once.
    log = await browser.open("/admin/audit?action=prompt.shadow_ended")
    assert log.text.count(f"{name}") == 1
