"""Static files by the hash of their content: a browser keeps each version for good.

`app/web/static/app.css` is `static("app.css")`; `app/<module>/static/x.js` is
`static("<module>/x.js")`. Requests are looked up in a table that was made from the folders, so
no request ever names a path on the disk.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import app as package
from app.core.settings import get_settings
from app.modules import MODULES

URL = "/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
COMPRESSED = {".css", ".js", ".svg", ".txt"}
HASHED = re.compile(r"(?P<stem>.+)\.(?P<hash>[0-9a-f]{12})(?P<suffix>\.[a-z0-9]+)")
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    name: str
    content: bytes

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.content, 9, mtime=0)

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    @property
    def url(self) -> str:
        return f"{URL}{self.name.removesuffix(self.suffix)}.{self.hash}{self.suffix}"


def files() -> dict[str, StaticFile]:
    """Every static file by name; in development read again when it changes."""
    return _find() if get_settings().app_env == "development" else _find_once()


def static(name: str) -> str:
    """The address of a static file, for templates."""
    return files()[name].url


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the files; to be mounted at `/static`."""
    await _answer(scope)(scope, receive, send)


def _answer(scope: Scope) -> Response:
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return Response(status_code=405, headers={"Allow": "GET, HEAD"})
    name, given = scope["path"].removeprefix(scope["root_path"]).lstrip("/"), None
    if (match := HASHED.fullmatch(name)) is not None:
        name, given = match["stem"] + match["suffix"], match["hash"]
    found = files().get(name)
    if found is None:
        return Response("Not found", 404, media_type="text/plain")
    # During a release old pages ask new servers and the other way round: they get the file that
    # is here, and nobody keeps it under the wrong name.
    headers = {"Cache-Control": FOREVER if given == found.hash else "no-cache"}
    asked, content, tag = Headers(scope=scope), found.content, found.hash
    if found.suffix in COMPRESSED:
        headers["Vary"] = "Accept-Encoding"
        if re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", asked.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            content, tag = found.zipped, f"{found.hash}-gzip"
    headers["ETag"] = f'"{tag}"'
    known = {one.strip().removeprefix("W/") for one in asked.get("if-none-match", "").split(",")}
    if f'"{tag}"' in known:
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = TYPES[found.suffix]
    if scope["method"] == "HEAD":
        headers["Content-Length"] = str(len(content))
        content = b""
    return Response(content, headers=headers)


def _find() -> dict[str, StaticFile]:
    found = {}
    for module in MODULES:
        folder = Path(package.__file__).parent / module / "static"
        prefix = "" if module == __package__.rpartition(".")[2] else f"{module}/"
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in TYPES:
                name = prefix + path.relative_to(folder).as_posix()
                found[name] = _read(name, path, path.stat().st_mtime_ns)
    return found


_find_once = cache(_find)


@lru_cache(maxsize=256)
def _read(name: str, path: Path, _: int) -> StaticFile:
    return StaticFile(name, path.read_bytes())
