"""Copies of backups in a bucket of somebody else's: what is sent is encrypted already.

The key may add and read there and needs no right to delete: whoever takes this machine over cannot
take the copies with it. The bucket's own rules forget the old ones.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import IO
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from anyio import to_thread
from yarl import URL

from app.backup import archive, manifest, wal
from app.backup.errors import BackupFailed
from app.backup.manifest import Manifest
from app.backup.settings import BackupSettings
from app.core.clock import now
from app.core.sigv4 import EMPTY, Credentials, signed

# S3 takes up to ten thousand pieces of one object, and at least five megabytes in each.
PIECE = 64 * 1024 * 1024
READ = 262_144
SECONDS = 600


async def copy_missing(folder: Path) -> list[str]:
    """Bring there what is only here, the oldest first; their names."""
    there, copied = await names(), []
    for backup in archive.backups(folder):
        if backup.name in there:
            continue
        files = sorted(path for path in backup.iterdir() if path.name != manifest.NAME)
        # The one by which a backup counts as whole comes last.
        for path in (*files, backup / manifest.NAME):
            await _put(f"{backup.name}/{path.name}", path)
        copied.append(backup.name)
    return copied


async def names() -> list[str]:
    """Backups that are whole there, the oldest first."""
    keys = await _keys("")
    whole = re.compile(rf"([0-9][\w-]+)/{re.escape(manifest.NAME)}")
    return sorted(found[1] for key in keys if (found := whole.fullmatch(key)))


async def fetch(name: str, folder: Path) -> Path:
    """Bring one back from there into `folder`, where `app backup restore` finds it."""
    if folder / name in archive.backups(folder):
        return folder / name
    if name not in await names():
        raise BackupFailed(f"No copy is called {name}: `app backup fetch` shows those that are.")
    target, draft = folder / name, folder / f".{name}.fetched"
    await to_thread.run_sync(lambda: draft.mkdir(parents=True, exist_ok=True, mode=0o700))
    for key in await _keys(f"{name}/"):
        await _get(key, draft / Path(key).name)
    for file_name, digest in Manifest.read(draft).digests.items():
        path = draft / file_name
        if not path.exists() or manifest.digest(path) != digest:
            raise BackupFailed(f"The copy of {name}/{file_name} is not what was sent.")
    return await to_thread.run_sync(draft.rename, target)


async def copy_log(folder: Path, there: set[str]) -> int:
    """Bring base backups and the log of changes there, too; how many files.

    `there` is what is known to be there: asked once, for a list of weeks has many pages.
    """
    if not there:
        there.update(await _keys(f"{wal.FOLDER}/"))
    count = 0
    # Of a base the manifest comes last: `manifest.json` sorts behind `base.tar.gz.age`.
    for path in sorted((folder / wal.FOLDER).glob("*/*/**/*")):
        key = str(path.relative_to(folder))
        if key in there or "/." in key or not path.is_file():
            continue
        await _put(key, path)
        there.add(key)
        count += 1
    return count


async def fetch_log(folder: Path, until: str = "~") -> int:
    """Bring back the newest base whose name is before `until`, and the log that follows it."""
    keys = await _keys(f"{wal.FOLDER}/")
    pattern = re.compile(rf"{wal.FOLDER}/(\d+)/base/(\d[\w-]+)/{re.escape(manifest.NAME)}")
    bases = sorted((m[2], m[1]) for key in keys if (m := pattern.fullmatch(key)) and m[2] < until)
    if not bases:
        raise BackupFailed("No copy of a base backup is there, or none is so old.")
    name, server = bases[-1]
    base = f"{wal.FOLDER}/{server}/base/{name}"
    # The manifest first, for it says where the log begins.
    wanted = [key for key in keys if key.startswith(f"{base}/")]
    for key in sorted(wanted, reverse=True):
        await _get(key, folder / key)
    first = wal.Base.read(folder / base).first_segment
    log = [key for key in keys if key.startswith(f"{wal.FOLDER}/{server}/wal/")]
    needed = [key for key in log if Path(key).name[8:] >= first[8:]]
    for key in needed:
        if not (folder / key).exists():
            await _get(key, folder / key)
    return len(wanted) + len(needed)


async def _get(key: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}")
    async with _asked("GET", key) as response:
        with draft.open("wb") as file:
            async for piece in response.content.iter_chunked(READ):
                await to_thread.run_sync(file.write, piece)
    draft.rename(path)


async def _put(key: str, path: Path) -> None:
    """Whole or not at all: in one request, or in pieces that count once the last one is there."""
    with path.open("rb") as file:
        if len(piece := await _read(file)) < PIECE:
            async with _asked("PUT", key, body=piece):
                return
        async with _asked("POST", key, "uploads=") as response:
            begun = re.search(r"<UploadId>([^<]+)<", await response.text())
        if not begun:
            raise BackupFailed("The place for copies began no upload.")
        upload, done = quote(unescape(begun[1]), safe=""), list[str]()
        while piece:
            number = len(done) + 1
            query = f"partNumber={number}&uploadId={upload}"
            async with _asked("PUT", key, query, piece) as response:
                tag = response.headers["ETag"].replace('"', "&quot;")
            done.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
            piece = await _read(file)
        whole = f"<CompleteMultipartUpload>{''.join(done)}</CompleteMultipartUpload>"
        async with _asked("POST", key, f"uploadId={upload}", whole.encode()) as response:
            # S3 answers 200 before it knows.
            if "<Error>" in await response.text():
                raise BackupFailed("The place for copies could not put the pieces together.")


async def _read(file: IO[bytes]) -> bytes:
    return await to_thread.run_sync(file.read, PIECE)


async def _keys(prefix: str) -> list[str]:
    found: list[str] = []
    more = ""
    while True:
        query = f"{more}list-type=2" + (f"&prefix={quote(prefix, safe='')}" if prefix else "")
        async with _asked("GET", "", query) as response:
            page = await response.text()
        found += [unescape(key) for key in re.findall(r"<Key>([^<]+)</Key>", page)]
        next_page = re.search(r"<NextContinuationToken>([^<]+)<", page)
        if not next_page:
            return found
        more = f"continuation-token={quote(unescape(next_page[1]), safe='')}&"


@asynccontextmanager
async def _asked(
    method: str, key: str, query: str = "", body: bytes = b""
) -> AsyncIterator[ClientResponse]:
    settings = BackupSettings.load()
    if not settings.copy_url:
        raise BackupFailed("BACKUP_COPY_URL is empty: name a place for copies.")
    url = f"{settings.copy_url}/{settings.copy_bucket}" + (f"/{key}" if key else "")
    url += f"?{query}" if query else ""
    sent = signed(
        url,
        sha256(body).hexdigest() if body else EMPTY,
        {"Content-Length": str(len(body))},
        Credentials(settings.copy_access_key, settings.copy_secret_key.get_secret_value()),
        region=settings.copy_region,
        service="s3",
        moment=now(),
        method=method,
    )
    timeout = ClientTimeout(total=SECONDS, sock_connect=10)
    try:
        async with (
            ClientSession(timeout=timeout, cookie_jar=DummyCookieJar()) as session,
            session.request(
                method,
                URL(url, encoded=True),
                data=BytesIO(body),
                headers=sent,
                allow_redirects=False,
            ) as response,
        ):
            if response.status >= 300:
                raise BackupFailed(f"The place for copies refused {method}: {response.status}.")
            yield response
    except (ClientError, TimeoutError, OSError) as error:
        problem = type(error).__name__
        raise BackupFailed(f"The place for copies cannot be reached: {problem}.") from error
