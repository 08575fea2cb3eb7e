"""Files in a bucket of any server that speaks S3: four plain requests, signed by us."""

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from html import unescape
from io import BytesIO
from typing import IO, Any
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from anyio import to_thread
from yarl import URL

from app.core.clock import now
from app.core.logging import log
from app.core.sigv4 import EMPTY, Credentials, signed
from app.storage import role
from app.storage.service import PIECE, NoSuchFile, StorageUnreachable
from app.storage.settings import StorageSettings

TRIES = 3
SECONDS_BETWEEN = 0.3
AWAY = "Files cannot be reached now; please try again."
# Encrypted pieces wait here; more than this goes to a file.
IN_MEMORY = 1_048_576


async def put(name: str, pieces: AsyncIterable[bytes]) -> None:
    """The server takes a whole object or none; its digest goes with it."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        seen, size = hashlib.sha256(), 0
        async for piece in pieces:
            seen.update(piece)
            size += len(piece)
            await to_thread.run_sync(file.write, piece)
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        for left in reversed(range(TRIES)):
            async with _asked("PUT", name, file, seen.hexdigest(), headers, left) as response:
                if response is not None:
                    return


async def get(name: str) -> AsyncGenerator[bytes, None]:
    for left in reversed(range(TRIES)):
        async with _asked("GET", name, left=left) as response:
            if response is None:
                continue
            if response.status == 404:
                raise NoSuchFile
            try:
                async for piece in response.content.iter_any():
                    yield piece
            except (ClientError, TimeoutError) as error:
                raise StorageUnreachable("The file could not be read to its end.") from error
            return


async def delete(name: str) -> None:
    for left in reversed(range(TRIES)):
        async with _asked("DELETE", name, left=left) as response:
            if response is not None:
                return


async def names() -> list[str]:
    found: list[str] = []
    query = "list-type=2"
    while query:
        for left in reversed(range(TRIES)):
            async with _asked("GET", "", left=left, query=query) as response:
                if response is None:
                    continue
                if response.status == 404:
                    raise StorageUnreachable("The bucket is not there.")
                page = (await response.read()).decode()
                break
        found += [unescape(key) for key in re.findall(r"<Key>([^<]+)</Key>", page)]
        more = re.search(r"<NextContinuationToken>([^<]+)<", page)
        # In the order of the alphabet, for the signature.
        token = quote(unescape(more[1]), safe="") if more else ""
        query = f"continuation-token={token}&list-type=2" if token else ""
    return found


async def sweep(before: datetime) -> None:
    """The server keeps no half of an object."""


async def make_bucket() -> None:
    """Only on a server of our own: the key that the app has may not do so anywhere else."""
    region = StorageSettings.load().s3_region
    kind = "CreateBucketConfiguration"
    body = f"<{kind}><LocationConstraint>{region}</LocationConstraint></{kind}>".encode()
    if region == "us-east-1":  # The one that S3 takes for granted and refuses to be told.
        body = b""
    digest, headers = hashlib.sha256(body).hexdigest(), {"Content-Length": str(len(body))}
    for left in reversed(range(TRIES)):
        async with _asked("PUT", "", BytesIO(body), digest, headers, left, {409}) as response:
            if response is not None:
                return


async def check() -> None:
    async with _asked("HEAD", "", left=0):
        pass


@asynccontextmanager
async def _asked(
    method: str,
    name: str,
    file: IO[bytes] | None = None,
    digest: str = EMPTY,
    headers: dict[str, str] | None = None,
    left: int = 0,
    fine: Collection[int] = (),
    query: str = "",
) -> AsyncIterator[ClientResponse | None]:
    """The answer, or None when another try is left and may help. 404 is an answer for GET."""
    settings = StorageSettings.load()
    url = f"{settings.s3_url}/{settings.s3_bucket}" + (f"/{name}" if name else "")
    url += f"?{query}" if query else ""
    sent = signed(
        url,
        digest,
        headers or {},
        await _credentials(settings),
        region=settings.s3_region,
        service="s3",
        moment=now(),
        method=method,
    )
    timeout = ClientTimeout(total=settings.seconds, sock_connect=5)
    answered = False
    try:
        async with (
            ClientSession(timeout=timeout, cookie_jar=DummyCookieJar()) as session,
            session.request(
                method,
                URL(url, encoded=True),
                data=_read(file) if file else None,
                headers=sent,
                allow_redirects=False,
            ) as response,
        ):
            known = (
                response.status < 300
                or response.status in fine
                or (response.status == 404 and method == "GET")
            )
            if known:
                answered = True
                yield response
                return
            problem: Any = f"status {response.status}"
            passing = response.status in {429, 500, 502, 503, 504}
    except (ClientError, TimeoutError, OSError) as error:
        if answered:
            raise
        problem, passing = type(error).__name__, True
    log.warning("storage.refused", method=method, problem=problem, left=left)
    if not (passing and left):
        raise StorageUnreachable(AWAY)
    await asyncio.sleep(SECONDS_BETWEEN)
    yield None


async def _credentials(settings: StorageSettings) -> Credentials:
    if not settings.s3_access_key:
        try:
            return await role.credentials()
        except role.NoCredentials as error:
            log.warning("storage.no_credentials", problem=str(error))
            raise StorageUnreachable(AWAY) from error
    return Credentials(
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        settings.s3_session_token.get_secret_value(),
    )


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := await to_thread.run_sync(file.read, PIECE):
        yield piece
