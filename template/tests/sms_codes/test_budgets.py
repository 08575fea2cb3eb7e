"""What a fraud with text messages runs into."""

import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import make_user, sign_in
from tests.sms_codes.conftest import code_in, new_number
from tests.sms_codes.test_phone import PHONE, change, confirm, put


async def asks(client, number):
    return await client.post(PHONE, json={"number": number})


@pytest.fixture
async def a_new_day():
    """Counts of the day from nothing: other tests send messages, too."""
    async with db.transaction(elevated=True) as session:
        await session.execute(text("DELETE FROM sms_days"))


async def test_an_account_has_three_in_ten_minutes(client):
    await sign_in(client, await make_user())
    found = [(await asks(client, new_number())).status_code for _ in range(4)]
    assert found == [202, 202, 202, 429]


async def test_an_account_gets_no_further_with_another_session(client, new_browser):
    ada = await make_user()
    await sign_in(client, ada)
    for _ in range(3):
        await asks(client, new_number())
    async with new_browser() as other:
        await sign_in(other, ada)
        answer = await asks(other, new_number())
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers


async def test_an_address_has_its_own_limit(client):
    found = set()
    for _ in range(14):
        await sign_in(client, await make_user(password=False))
        for _ in range(3):
            found.add((await asks(client, new_number())).status_code)
    assert found == {202, 429}


@pytest.mark.asvs("6.6.3")
async def test_a_number_that_many_ask_for_is_left_alone_and_nobody_is_told(client, texts_to):
    number = new_number()
    answers = []
    for _ in range(7):
        await sign_in(client, await make_user(password=False))
        answers.append(await asks(client, number))
    # The same answer, whether others asked before or not.
    assert {answer.status_code for answer in answers} == {202}
    assert {frozenset(answer.json()) for answer in answers} == {frozenset({"number", "expires_at"})}
    assert len({answer.json()["number"] for answer in answers}) == 1
    assert len(await texts_to(number)) == 5


async def test_a_known_number_is_answered_as_an_unknown_one(client, texts_to, configure):
    configure(SMS_ACCOUNTS_PER_NUMBER="1")
    await sign_in(client, await make_user())
    known, _ = await put(client, texts_to)
    await sign_in(client, await make_user())
    for number in (known, new_number()):
        answer = await asks(client, number)
        assert answer.status_code == 202
        assert answer.json().keys() == {"number", "expires_at"}


async def test_a_day_has_its_budget(client, configure, a_new_day):
    configure(SMS_PER_DAY="5")
    found = []
    for _ in range(5):
        await sign_in(client, await make_user(password=False))
        found.append(await asks(client, new_number()))
    # A fifth is kept for people who sign in.
    assert [answer.status_code for answer in found] == [202] * 4 + [503]
    assert found[-1].json()["type"] == "/problems/budget-spent"
    assert found[-1].headers["Retry-After"] == "3600"


async def test_a_country_has_its_own(client, configure, a_new_day):
    configure(SMS_PER_COUNTRY_AND_DAY="2")
    found = []
    for country in ("DE", "DE", "AT"):
        await sign_in(client, await make_user(password=False))
        found.append((await asks(client, new_number(country))).status_code)
    assert found == [202, 503, 202]


async def test_a_refused_message_costs_nothing(client, configure, a_new_day):
    configure(SMS_PER_COUNTRY_AND_DAY="1")
    for _ in range(3):
        await sign_in(client, await make_user(password=False))
        await asks(client, new_number())
    async with db.transaction(elevated=True) as session:
        rows = await session.execute(text("SELECT country, sent FROM sms_days ORDER BY country"))
        assert rows.all() == [("", 1), ("DE", 1)]


async def test_after_midnight_there_is_a_new_budget(client, configure, a_new_day):
    configure(SMS_PER_DAY="1")
    await sign_in(client, await make_user())
    assert (await asks(client, new_number())).status_code == 202
    assert (await asks(client, new_number())).status_code == 503
    await change("UPDATE sms_days SET day = day - 1")
    assert (await asks(client, new_number())).status_code == 202


async def test_signing_in_goes_on_when_the_rest_of_the_day_is_spent(
    client, texts_to, configure, a_new_day
):
    ada = await make_user()
    await sign_in(client, ada)
    number, _ = await put(client, texts_to, second_factor=True)
    await change("UPDATE sms_days SET sent = 4")
    configure(SMS_PER_DAY="5", SMS_PER_COUNTRY_AND_DAY="5")
    assert (await asks(client, number)).status_code == 503
    client.cookies.delete("__Host-session")
    answer = await client.post(
        "/api/auth/sign-in", json={"email": ada.email, "password": ada.password}
    )
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    assert (await client.post("/api/auth/text-message")).status_code == 202
    assert code_in((await texts_to(number))[0])


async def test_a_country_that_was_taken_off_gets_no_more(client, texts_to, configure):
    await sign_in(client, await make_user())
    await put(client, texts_to)
    configure(SMS_COUNTRIES='["AT"]')
    answer = await client.post(f"{PHONE}/second-factor")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unusable-number")
    assert (await confirm(client, "123456")).status_code == 422
