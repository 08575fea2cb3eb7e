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
    if MailSettings.load().backend != "inbox" or not on_laptop(request):
        raise NoInbox("There is no such page.")


def on_laptop(request: Request) -> bool:
    """Whether what stands in for an outside service may be looked at."""
    # A site whose name is made to lead to this machine must not read it in its visitor's browser.
    ours = LAPTOP | {urlsplit(get_settings().public_url).hostname}
    return not get_settings().production and request.url.hostname in ours
