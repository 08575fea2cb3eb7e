"""Credentials of the role that a cloud gives a container: ECS and EKS say where to ask for them.

They last for hours and are renewed before they run out, so that no key is stored anywhere.
"""

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from app.core.clock import now
from app.core.sigv4 import Credentials

# Only ECS, EKS and this machine itself may hand them out.
HOSTS = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "127.0.0.1", "localhost"}
EARLY = timedelta(minutes=5)
SECONDS = 5


class NoCredentials(Exception):
    """They were not handed out."""


_kept: dict[str, tuple[datetime, Credentials]] = {}
_renewing = asyncio.Lock()


def address() -> str:
    """Where they are handed out; an empty text where no cloud does."""
    if short := os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return f"http://169.254.170.2{short}"
    given = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    return given if given and URL(given).host in HOSTS else ""


async def credentials() -> Credentials:
    async with _renewing:
        until, found = _kept.get(address(), (now(), None))
        if found is None or until - EARLY <= now():
            try:
                until, found = _kept[address()] = await _asked(address())
            except NoCredentials:
                # Those at hand last until they run out; the next call asks again.
                if found is None or until <= now():
                    raise
        return found


async def _asked(url: str) -> tuple[datetime, Credentials]:
    headers = {}
    if file := os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        headers["Authorization"] = (await asyncio.to_thread(Path(file).read_text)).strip()
    try:
        async with (
            ClientSession(
                timeout=ClientTimeout(total=SECONDS), cookie_jar=DummyCookieJar()
            ) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            response.raise_for_status()
            told = await response.json(content_type=None)
            return (
                datetime.fromisoformat(told["Expiration"]),
                Credentials(told["AccessKeyId"], told["SecretAccessKey"], told["Token"]),
            )
    except (ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        raise NoCredentials(type(error).__name__) from error
