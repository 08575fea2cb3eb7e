"""A number on an account, over HTTP."""

import asyncio

import pytest
from sqlalchemy import text

from app.core import db
from app.core.crypto import Undecipherable, decrypt
from app.mail import service as mail
from app.users.models import OrganizationPolicy
from tests.factories import make_user, sign_in
from tests.sms_codes.conftest import code_in, new_number

PHONE = "/api/account/phone"


@pytest.fixture
async def ada(client):
    someone = await make_user()
    await sign_in(client, someone)
    return someone


async def ask(client, number, **more):
    answer = await client.post(PHONE, json={"number": number} | more)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def confirm(client, code):
    answer = await client.post(f"{PHONE}/confirm", json={"code": code})
    if token := answer.json().get("csrf_token"):
        client.headers["X-CSRF-Token"] = token
    return answer


async def put(client, texts_to, number=None, **more):
    """Bring a number on the account; gives it and the answer."""
    number = number or new_number()
    await ask(client, number, **more)
    answer = await confirm(client, code_in((await texts_to(number))[0]))
    assert answer.status_code == 200, answer.text
    return number, answer.json()


def other_than(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


async def change(what, **values):
    async with db.transaction(elevated=True) as session:
        await session.execute(text(what), values)


async def letters(someone):
    async with db.transaction(elevated=True) as session:
        return [one.subject for one in await mail.inbox(session, to=someone.email)]


@pytest.mark.asvs("6.5.4")
async def test_a_number_comes_on_the_account_with_its_code(client, ada, texts_to):
    number = new_number()
    sent = await ask(client, number)
    assert sent["number"] == f"+49 ••• {number[-2:]}"
    assert (await client.get(PHONE)).json() is None

    [message] = await texts_to(number)
    assert message.body.splitlines()[-1] == f"@testserver #{code_in(message)}"
    done = await confirm(client, code_in(message))

    assert done.json() == {"number": sent["number"], "recovery_codes": [], "csrf_token": None}
    kept = (await client.get(PHONE)).json()
    assert (kept["number"], kept["second_factor"]) == (sent["number"], False)
    assert await letters(ada) == ["A phone number was added"]


async def test_the_tables_hold_ciphertext_and_keyed_digests(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    row = "SELECT c::text FROM sms_codes c WHERE user_id = :u"
    async with db.transaction(elevated=True) as session:
        codes = await session.scalar(text(row), {"u": ada.user_id})
    await confirm(client, code)
    async with db.transaction(elevated=True) as session:
        query = text("SELECT id, number, p::text AS line FROM phone_numbers p WHERE user_id = :u")
        kept = (await session.execute(query, {"u": ada.user_id})).one()
    for line in (codes, kept.line):
        for secret in (number.removeprefix("+"), code):
            assert secret not in line.replace("-", "")
            assert secret.encode().hex() not in line
    assert decrypt(bytes(kept.number), f"phone_numbers.number:{kept.id}") == number
    with pytest.raises(Undecipherable):
        decrypt(bytes(kept.number), f"phone_numbers.number:{ada.user_id}")


async def test_the_app_s_own_role_sees_none_of_it():
    for table in ("phone_numbers", "sms_codes", "sms_messages", "sms_days"):
        with pytest.raises(Exception, match="permission denied"):
            async with db.transaction() as session:
                await session.execute(text(f"SELECT * FROM {table}"))


@pytest.mark.asvs("6.6.3")
async def test_a_wrong_code_does_nothing_and_the_sixth_try_is_none(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    for _ in range(5):
        answer = await confirm(client, other_than(code))
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/wrong-code")
    assert (await confirm(client, code)).status_code == 422
    assert (await client.get(PHONE)).json() is None


async def test_the_fifth_try_is_the_last_good_one(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    for _ in range(4):
        await confirm(client, other_than(code))
    assert (await confirm(client, code)).status_code == 200


@pytest.mark.asvs("6.5.5")
async def test_a_code_ends_after_ten_minutes(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    ends = "UPDATE sms_codes SET expires_at = expires_at - interval '{}' WHERE user_id = :u"
    await change(ends.format("599 s"), u=ada.user_id)
    await change(ends.format("1 s"), u=ada.user_id)
    assert (await confirm(client, code)).status_code == 422


async def test_a_new_code_ends_the_one_before(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    first = code_in((await texts_to(number))[0])
    await ask(client, number)
    second = code_in((await texts_to(number))[0])
    if first != second:
        assert (await confirm(client, first)).status_code == 422
    assert (await confirm(client, second)).status_code == 200


async def test_a_message_that_still_waits_gives_way_to_the_newer(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    await ask(client, number)
    assert len(await texts_to(number)) == 1


@pytest.mark.asvs("6.6.2")
async def test_a_code_counts_in_the_session_that_asked_for_it(client, ada, texts_to, new_browser):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    async with new_browser() as other:
        await sign_in(other, ada)
        assert (await confirm(other, code)).status_code == 422
    assert (await confirm(client, code)).status_code == 200


async def test_somebody_else_s_code_is_none(client, ada, texts_to, new_browser):
    mine, theirs = new_number(), new_number()
    async with new_browser() as other:
        await sign_in(other, await make_user())
        await ask(other, theirs)
        await ask(client, mine)
        code = code_in((await texts_to(theirs))[0])
        if code != code_in((await texts_to(mine))[0]):
            assert (await confirm(client, code)).status_code == 422


@pytest.mark.asvs("6.5.1", "2.3.4")
async def test_of_twenty_uses_at_once_one_succeeds(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    # Twenty are more tries than a code has: here it is the one use that must hold.
    await change("UPDATE sms_codes SET tries = -100 WHERE user_id = :u", u=ada.user_id)
    await change("DELETE FROM sms_codes WHERE user_id <> :u", u=ada.user_id)

    from app.access.person import identify_alone
    from app.sms_codes import codes
    from app.sms_codes.models import Purpose

    person = await identify_alone(client.cookies["__Host-session"])

    async def use():
        async with db.transaction(elevated=True) as session:
            return await codes.accept(session, person, Purpose.NUMBER, code) is not None

    found = await asyncio.gather(*(use() for _ in range(20)))
    assert found.count(True) == 1


async def test_of_ten_requests_at_once_one_brings_the_number(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    code = code_in((await texts_to(number))[0])
    answers = await asyncio.gather(*(confirm(client, code) for _ in range(10)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 422}


async def test_asking_again_is_no_way_to_guess_on(client, ada, texts_to):
    number = new_number()
    await ask(client, number)
    await change("UPDATE sms_codes SET tries = -100 WHERE user_id = :u", u=ada.user_id)
    found = [(await confirm(client, "000000")).status_code for _ in range(11)]
    assert found == [422] * 10 + [429]


async def test_another_number_takes_the_place_and_its_owner_is_told(client, ada, texts_to):
    await put(client, texts_to)
    second, _ = await put(client, texts_to)
    assert (await client.get(PHONE)).json()["number"] == f"+49 ••• {second[-2:]}"
    assert await letters(ada) == ["Your phone number was changed", "A phone number was added"]


async def test_it_can_be_removed_and_its_owner_is_told(client, ada, texts_to):
    await put(client, texts_to)
    assert (await client.delete(PHONE)).status_code == 200
    assert (await client.get(PHONE)).json() is None
    assert (await letters(ada))[0] == "Your phone number was removed"
    assert (await client.delete(PHONE)).status_code == 409


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("POST", "/second-factor"), ("DELETE", ""), ("DELETE", "/second-factor")],
)
async def test_changes_need_a_fresh_proof(client, ada, method, path):
    await change(
        "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u",
        u=ada.user_id,
    )
    answer = await client.request(method, PHONE + path, json={"number": new_number()})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/prove-it-again")


async def test_what_happened_stands_in_the_log_without_the_number(client, ada, texts_to):
    number, _ = await put(client, texts_to)
    await client.delete(PHONE)
    async with db.transaction(organization_id=ada.organization_id) as session:
        query = text("SELECT action, detail::text FROM audit_events WHERE user_id = :u ORDER BY id")
        events = (await session.execute(query, {"u": ada.user_id})).all()
    assert [one.action for one in events] == ["sms_code.asked", "phone.confirmed", "phone.removed"]
    assert number[3:] not in str(events)


async def test_a_number_is_on_so_many_accounts_and_no_more(client, texts_to, configure):
    configure(SMS_ACCOUNTS_PER_NUMBER="2")
    number = new_number()
    found = []
    for _ in range(3):
        await sign_in(client, await make_user())
        await ask(client, number)
        answer = await confirm(client, code_in((await texts_to(number))[0]))
        found.append((answer.status_code, answer.json().get("type")))
    # Told to who holds the phone; whoever only asked was told nothing.
    assert found == [(200, None), (200, None), (409, "/problems/number-taken")]
    assert (await client.get(PHONE)).json() is None


async def test_when_two_confirm_at_once_the_limit_holds(client, texts_to, configure, new_browser):
    configure(SMS_ACCOUNTS_PER_NUMBER="1")
    number = new_number()
    async with new_browser() as other:
        codes = []
        for one in (client, other):
            await sign_in(one, await make_user())
            await ask(one, number)
            codes.append(code_in((await texts_to(number))[0]))
        answers = await asyncio.gather(confirm(client, codes[0]), confirm(other, codes[1]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_removing_the_account_takes_everything_along(client, ada, texts_to):
    await put(client, texts_to)
    await ask(client, new_number())
    await change("DELETE FROM users WHERE id = :u", u=ada.user_id)
    async with db.transaction(elevated=True) as session:
        for table in ("phone_numbers", "sms_codes", "sms_messages"):
            query = text(f"SELECT count(*) FROM {table} WHERE user_id = :u")
            assert await session.scalar(query, {"u": ada.user_id}) == 0


async def test_administrators_see_a_member_s_number_masked_and_nobody_else_s(
    client, ada, texts_to, new_browser
):
    number, _ = await put(client, texts_to)
    path = f"/api/users/{ada.user_id}/phone"
    assert (await client.get(path)).status_code == 403, "members do not see members"
    async with new_browser() as office:
        await sign_in(office, await make_user(ada.organization_id, role="admin"))
        answer = await office.get(path)
        assert answer.json()["number"] == f"+49 ••• {number[-2:]}"
        assert number[3:] not in answer.text
        page = await office.get(f"/admin/users/{ada.user_id}")
        if page.status_code == 200:  # with a web UI
            assert f"+49 ••• {number[-2:]}" in page.text
            assert number[3:] not in page.text
    async with new_browser() as elsewhere:
        await sign_in(elsewhere, await make_user(role="admin"))
        assert (await elsewhere.get(path)).status_code == 404


async def test_an_organisation_can_accept_no_texted_codes_as_second_factor(
    client, ada, texts_to, new_browser
):
    await put(client, texts_to, second_factor=True)
    assert (await client.get("/api/me")).json()["second_factor"] is True
    async with db.transaction(organization_id=ada.organization_id) as session:
        session.add(
            OrganizationPolicy(
                organization_id=ada.organization_id,
                second_factor="everyone",
                second_factors=["totp"],
            )
        )
    answer = await client.get("/api/conversations")
    assert (await client.get("/api/me")).json()["second_factor"] is False
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/second-factor-required")
