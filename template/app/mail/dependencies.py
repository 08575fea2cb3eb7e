from urllib.parse import urlsplit

from fastapi import Request

from app.core.errors import NotFound
from app.core.settings import get_settings
from app.mail.settings import MailSettings


class NoInbox(NotFound):
    pass


LAPTOP = {"localhost", "127.0.0.1", "::1"}


async def inbox_only(request: Request) -> None:
    """The dev inbox shows sign-in links, so it is nowhere but on laptops and in tests."""
    if get_settings().production or MailSettings.load().backend != "inbox":
        raise NoInbox("There is no such page.")
    # A site whose name is made to lead to this machine must not read it in its visitor's browser.
    if request.url.hostname not in LAPTOP | {urlsplit(get_settings().public_url).hostname}:
        raise NoInbox("There is no such page.")
