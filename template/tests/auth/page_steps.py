"""Steps that several tests of pages take."""

import re

import pyotp
from sqlalchemy import text

from app.core import db
from tests.factories import PASSWORD


async def sign_in_by_page(browser, email, password=PASSWORD, address="/sign-in?next=/account"):
    page = await browser.open(address)
    return await page.send("/sign-in", email=email, password=password)


async def enrol(browser):
    """Set up an authenticator app by its page; gives it and the codes that the page shows."""
    page = await browser.open("/account/security/authenticator")
    app = pyotp.TOTP(re.search(r"[?&]secret=([A-Z2-7]+)", page.html)[1])
    page = await page.send("/account/security/authenticator", code=app.now())
    assert page.heading == "Keep your recovery codes", page.text
    return app, re.findall(r"<li>((?:[A-Z0-9]{6}-){3}[A-Z0-9]{6})</li>", page.html), page


async def forget_step(email):
    """Let the code of this half minute count again, as if time had passed."""
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE totp_devices SET last_step = 0"
                " WHERE user_id = (SELECT id FROM users WHERE email = :email)"
            ),
            {"email": email},
        )


async def let_proof_age(someone):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u"
            ),
            {"u": someone.user_id},
        )
