"""Administrators are told by mail, and not too often."""

import pytest
from sqlalchemy import text

from app.abuse import seeing, subjects
from app.abuse.jobs import alert
from app.abuse.seeing import Seen
from app.core import db
from app.jobs.queue import run_until_empty
from app.mail import links
from app.mail import service as mail
from app.modules import has
from tests.factories import make_organization, make_user
from tests.subjects import about

WHERE = "/admin/abuse?show=seen&of=scraping"


async def mails_to(someone):
    await run_until_empty()
    async with db.transaction(elevated=True) as session:
        return await mail.inbox(session, to=someone.email)


async def scraping(member, measure="slow"):
    subject = subjects.person(member.organization_id, member.user_id)
    await seeing.see(Seen("scraping", subject, 9, 1, measure, "requests"))


async def test_administrators_get_one_mail_about_all_of_a_kind(client):
    organization = await make_organization()
    admins = [await make_user(organization, role="admin") for _ in range(2)]
    members = [await make_user(organization) for _ in range(3)]
    stranger = await make_user(role="admin")
    for one in members:
        await scraping(one)
    await seeing.see(
        Seen("extraction", subjects.organization(organization.id), 9, 1, None, "model")
    )
    await alert()
    for admin in admins:
        said = {about(one.subject): one.body for one in await mails_to(admin)}
        assert said.keys() == {
            "someone reads far more than people do",
            "far too many different questions to the model",
        }
        body = said["someone reads far more than people do"]
        assert "Seen: 3 times" in body
        assert "Done: slowed: 3" in body
        assert organization.name in body
        assert (WHERE if has("web") else "/api/abuse/sightings?kind=scraping") in body
    assert await mails_to(stranger) == []
    for one in members:
        assert await mails_to(one) == []


async def test_of_one_kind_there_is_one_mail_an_hour(client):
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    await scraping(await make_user(organization))
    await alert()
    await scraping(await make_user(organization))
    await alert()
    await alert()
    assert len(await mails_to(admin)) == 1
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE abuse_sightings SET alerted_at = now() - interval '61 minutes'"
                " WHERE alerted_at IS NOT NULL"
            )
        )
    await alert()
    # What waited meanwhile, and nothing twice.
    [newest, _] = await mails_to(admin)
    assert "Seen: once" in newest.body
    await alert()
    assert len(await mails_to(admin)) == 2


async def test_nobody_is_told_who_no_longer_administers(client):
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE memberships SET suspended_at = now() WHERE user_id = :u"),
            {"u": admin.user_id},
        )
    await scraping(await make_user(organization))
    await alert()
    assert await mails_to(admin) == []


@pytest.mark.parametrize(
    ("modules", "leads_to"), [({"web"}, "/account/keys"), (set(), "/api/keys")]
)
async def test_without_pages_mails_lead_to_the_api(monkeypatch, modules, leads_to):
    monkeypatch.setattr("app.modules.MODULES", modules)
    assert links.to("/account/keys", api="/api/keys") == f"https://testserver{leads_to}"
