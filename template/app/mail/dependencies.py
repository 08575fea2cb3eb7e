from app.core.errors import NotFound
from app.core.settings import get_settings
from app.mail.settings import MailSettings


class NoInbox(NotFound):
    pass


async def inbox_only() -> None:
    """The dev inbox shows sign-in links, so it is nowhere but on laptops and in tests."""
    if get_settings().production or MailSettings.load().backend != "inbox":
        raise NoInbox("There is no such page.")
