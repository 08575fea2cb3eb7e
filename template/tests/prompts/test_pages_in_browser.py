"""The pages in a real browser, to look at: PROMPT_SHOTS names a folder."""

import os
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser

from app.access.forgery import SESSION_COOKIE
from tests.asking import through_the_assistant
from tests.evals.test_gate import evaluated
from tests.factories import make_user, sign_in
from tests.prompts.test_experiments import answered, start
from tests.prompts.test_registry import write

pytestmark = pytest.mark.browser
BEGINNING = "You are kind and helpful.\n\nAnswer in the language of the question.\n\n{{today}}"


@through_the_assistant
async def test_no_page_complains_or_is_wider_than_a_phone(
    chromium: Browser,
    live_server,
    client,
    operators,
    operator,
    seeded,
):
    name = await seeded(BEGINNING)
    await write(client, name, BEGINNING.replace("kind and helpful", "brief and helpful"))
    made = (await start(client, name)).json()
    for number, ratings in ((1, "up up down"), (2, "up up up down")):
        for rating in ratings.split():
            await answered(operators, name, number, rating)
    async with httpx2.AsyncClient(verify=False) as other:
        await sign_in(other, await make_user(operators, role="admin", password=False))
        token = other.cookies[SESSION_COOKIE]
    context = await chromium.new_context(base_url=live_server.replace("127.0.0.1", "localhost"))
    cookie = {"name": SESSION_COOKIE, "value": token, "domain": "localhost", "path": "/"}
    await context.add_cookies([cookie | {"secure": True}])
    page, complaints = await context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    prompts, runs = "/admin/prompts", "/admin/evaluations"
    states = ["passed"] * 24 + ["failed"] * 3
    suites = {
        "general": {"title": "Right answers", "floor": 0.9, "passed": 24, "failed": 3}
        | {"skipped": 2, "error": 0},
        "injection": {"title": "Follows no order", "floor": 0.95, "passed": 26, "failed": 0}
        | {"skipped": 4, "error": 0},
    }
    cases = [("general", f"case-{n}", "open", state) for n, state in enumerate(states)]
    first = await evaluated(1, suites=suites, results=cases[::-1])
    run = await evaluated(
        1, suites=suites, results=cases, passed=False, verdicts=["Sums: 2 of 9 passed."]
    )
    paths = [prompts, f"{prompts}/{name}", f"{prompts}/{name}/versions/2", f"{prompts}/{name}/new"]
    shadow = {"version": 2, "percent": 5}
    assert (await client.post(f"/api/prompts/{name}/shadows", json=shadow)).status_code == 204
    paths += [
        f"{prompts}/{name}/experiments",
        f"{prompts}/{name}/shadows",
        f"{prompts}/experiments/{made['id']}",
    ]
    paths += [runs, f"{runs}/{run.id}?before={first.id}"]
    for number, path in enumerate(paths):
        await page.goto(path)
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width)
            if folder := os.environ.get("PROMPT_SHOTS"):
                await page.wait_for_timeout(400)
                shot = Path(folder) / f"{number}-{width}.png"
                await page.screenshot(path=shot, full_page=True)
    await context.close()
    assert complaints == []
