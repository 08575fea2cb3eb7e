from app.core.health import connects
from app.mail.settings import MailSettings

ESSENTIAL = False  # mail waits in the queue meanwhile


async def check() -> None:
    """The mail server listens."""
    settings = MailSettings.load()
    if settings.backend == "smtp":
        await connects(f"smtp://{settings.host}:{settings.port}")
