from app.jobs.queue import run_until_empty
from tests.factories import make_user, sign_in
from tests.leftovers import no_old_jobs as no_old_jobs


async def test_on_the_page_security_one_asks_and_downloads(client, app):
    ada = await make_user()
    await sign_in(client, ada)
    assert "Put my data together" in (await client.get("/account/security")).text
    sent = await client.post("/account/own-data", headers={"Accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/account/security")
    assert "Being made" in (await client.get("/account/security")).text
    again = await client.post("/account/own-data", headers={"Accept": "text/html"})
    assert again.status_code == 303
    assert "already" in (await client.get("/account/security")).text
    await run_until_empty()
    page = (await client.get("/account/security")).text
    assert page.count('href="/account/own-data/') == 1
    path = page.partition('href="/account/own-data/')[2].partition('"')[0]
    file = await client.get(f"/account/own-data/{path}")
    assert file.json()["tables"]["users"][0]["email"] == ada.email
