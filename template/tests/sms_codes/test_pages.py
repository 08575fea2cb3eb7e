"""The pages, in the browser of tests/pages.py."""

import pytest

from tests.auth.page_steps import let_proof_age, sign_in_by_page
from tests.factories import PASSWORD, make_user
from tests.sms_codes.conftest import SECRET, code_in, new_number
from tests.sms_codes.test_phone import other_than

PHONE = "/account/security/phone"
CODE = f"{PHONE}/code"
SIGN_IN = "/sign-in/text-message"
CONFIRM = "/confirm/text-message"


@pytest.fixture
async def ada(browser):
    someone = await make_user()
    await browser.sign_in(someone)
    return someone


async def enrol(browser, texts_to):
    number = new_number()
    page = await browser.open(PHONE)
    page = await page.send(PHONE, number=number, second_factor="true")
    return number, await page.send(CODE, code=code_in((await texts_to(number))[0]))


async def test_a_number_is_added_changed_and_removed(browser, ada, texts_to):
    page = await browser.open("/account/security")
    assert "No number" in page.text
    number = new_number()
    page = await browser.open(PHONE)
    page = await page.send(PHONE, number=number)
    assert (page.path, page.heading) == (CODE, "Enter the code")
    assert f"+49 ••• {number[-2:]}" in page.text
    code = code_in((await texts_to(number))[0])
    page = await page.send(CODE, code=other_than(code))
    assert "wrong" in page.errors["code"]
    assert code not in page.html
    page = await page.send(CODE, code=code)
    assert page.path == "/account/security"
    assert f"+49 ••• {number[-2:]}" in page.text
    assert number[3:] not in page.html

    page = await browser.open(PHONE)
    assert "Another number" in page.text
    page = await page.send(f"{PHONE}/remove")
    assert "Your phone number is removed." in page.text


@pytest.mark.asvs("6.6.1")
async def test_the_page_says_that_other_factors_protect_better(browser, ada):
    page = await browser.open(PHONE)
    assert "an authenticator app or a passkey protects better" in page.text


async def test_a_number_that_will_not_do_is_said_at_its_field(browser, ada):
    page = await browser.open(PHONE)
    page = await page.send(PHONE, number="+49 30 123456")
    assert page.status == 422
    assert page.errors["number"] == "This is not the number of a mobile phone."
    page = await page.send(PHONE, number="")
    assert page.errors["number"] == "Please fill this in."


async def test_a_new_code_can_be_asked_for(browser, ada, texts_to):
    number = new_number()
    page = await (await browser.open(PHONE)).send(PHONE, number=number)
    await texts_to(number)
    page = await page.send(f"{CODE}/again")
    assert "A new code is on its way." in page.text
    newest, _ = await texts_to(number)
    page = await page.send(CODE, code=code_in(newest))
    assert page.path == "/account/security"


async def test_without_a_code_under_way_there_is_nothing_to_enter(browser, ada):
    page = await browser.open(CODE)
    assert page.path == PHONE


async def test_signing_in_asks_for_a_texted_code(browser, ada, texts_to):
    number, page = await enrol(browser, texts_to)
    assert page.heading == "Keep your recovery codes", page.text

    browser.client.cookies.clear()
    page = await sign_in_by_page(browser, ada.email)
    assert page.path == SIGN_IN
    page = await page.send(f"{SIGN_IN}/send")
    code = code_in((await texts_to(number))[0])
    page = await page.send(SIGN_IN, code=other_than(code))
    assert "wrong" in page.errors["code"]
    page = await page.send(SIGN_IN, code=code)
    assert page.path == "/account"


async def test_it_proves_again_who_someone_is(browser, ada, texts_to):
    number, _ = await enrol(browser, texts_to)
    await let_proof_age(ada)
    page = await browser.open(PHONE)
    assert page.path == "/confirm"
    link = next(one for one in page.links if one.startswith(CONFIRM))
    page = await browser.open(link)
    page = await page.send(f"{CONFIRM}/send")
    code = code_in((await texts_to(number))[0])
    page = await page.send(CONFIRM, password="wrong", code=code)
    assert page.status == 422
    page = await page.send(CONFIRM, password=PASSWORD, code=code)
    assert page.path == PHONE


async def test_a_confirmed_number_is_made_the_factor_and_stopped(browser, ada, texts_to):
    number = new_number()
    page = await (await browser.open(PHONE)).send(PHONE, number=number)
    await page.send(CODE, code=code_in((await texts_to(number))[0]))
    page = await (await browser.open(PHONE)).send(f"{PHONE}/use")
    assert page.path == CODE
    page = await page.send(CODE, code=code_in((await texts_to(number))[0]))
    assert page.heading == "Keep your recovery codes"
    page = await (await browser.open("/account/security")).send(f"{PHONE}/stop-use")
    assert "asks for no texted code any more" in page.text


async def test_where_it_is_forbidden_it_is_not_offered(browser, ada, configure):
    configure(SMS_AS_SECOND_FACTOR="false")
    page = await browser.open(PHONE)
    assert "second factor" not in page.text
    page = await browser.open("/account/security")
    assert "Text message" not in page.text


async def test_a_message_that_could_not_be_sent_is_said(browser, ada, texts_to, configure):
    configure(
        SMS_SENDER="webhook",
        SMS_WEBHOOK_URL="https://user@texts.example",
        SMS_WEBHOOK_SECRET=SECRET,
    )
    number = new_number()
    await (await browser.open(PHONE)).send(PHONE, number=number)
    await texts_to(number)
    page = await browser.open(CODE)
    assert "The message could not be sent." in page.text


async def test_developers_read_messages_as_a_page(browser, ada, texts_to):
    number = new_number()
    await (await browser.open(PHONE)).send(PHONE, number=number)
    [message] = await texts_to(number)
    page = await browser.open("/dev/texts")
    assert number in page.text
    assert code_in(message) in page.text


@pytest.mark.parametrize("path", ["/dev/texts", "/api/dev/texts"])
@pytest.mark.parametrize(
    "settings",
    [
        {"APP_ENV": "production"},
        {"SMS_SENDER": "webhook"},
    ],
)
async def test_there_is_no_such_page_in_production_or_beside_a_sender(
    client, configure, path, settings
):
    assert (await client.get(path)).status_code == 200
    configure(**settings)
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/dev/texts", "/api/dev/texts"])
async def test_a_name_made_to_lead_to_this_machine_opens_it_to_nobody(client, path):
    answer = await client.get(path, headers={"Host": "rebound.example:8000"})
    assert answer.status_code == 404
