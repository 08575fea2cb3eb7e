"""Static files: kept by browsers for good, never a path on the disk."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx2
import pytest

import app
from app.web.static_files import files, static

WEB = Path(app.__file__).parent / "web"


async def test_a_file_at_its_hash_is_kept_for_good(pages: httpx2.AsyncClient) -> None:
    response = await pages.get(static("app.css"))

    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.content == (WEB / "static" / "app.css").read_bytes()


@pytest.mark.parametrize("path", ["/static/app.css", "/static/app.000000000000.css"])
async def test_a_file_at_another_address_is_asked_for_again_each_time(
    pages: httpx2.AsyncClient, path: str
) -> None:
    response = await pages.get(path)

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"


async def test_a_browser_that_has_the_file_gets_no_second_copy(pages: httpx2.AsyncClient) -> None:
    first = await pages.get("/static/app.css")

    again = await pages.get("/static/app.css", headers={"If-None-Match": first.headers["etag"]})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]


async def test_text_is_sent_compressed_to_those_who_take_it(pages: httpx2.AsyncClient) -> None:
    path = static("vendor/htmx.min.js")
    small = await pages.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await pages.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})

    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < 20_000
    assert "content-encoding" not in plain.headers
    assert small.content == plain.content
    assert small.headers["etag"] != plain.headers["etag"]
    assert small.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


async def test_head_tells_the_size_and_sends_nothing(pages: httpx2.AsyncClient) -> None:
    response = await pages.head("/static/app.css", headers={"Accept-Encoding": "identity"})

    assert response.content == b""
    assert int(response.headers["content-length"]) == (WEB / "static" / "app.css").stat().st_size


@pytest.mark.asvs("13.4.3")
@pytest.mark.parametrize(
    "path",
    [
        "/static/../render.py",
        "/static/%2e%2e/render.py",
        "/static/..%2frender.py",
        "/static/....//render.py",
        "/static//etc/passwd",
        "/static/%00app.css",
        "/static/vendor/README.md",
        "/static/vendor",
        "/static/",
    ],
)
async def test_no_request_reaches_the_disk(pages: httpx2.AsyncClient, path: str) -> None:
    response = await pages.get(httpx2.URL("https://testserver").copy_with(raw_path=path.encode()))

    assert response.status_code == 404


async def test_files_are_only_read(pages: httpx2.AsyncClient) -> None:
    assert (await pages.post("/static/app.css")).status_code == 405


def test_an_address_changes_with_its_content() -> None:
    found = files()["app.js"]

    assert found.url == f"/static/app.{hashlib.sha256(found.content).hexdigest()[:12]}.js"
    assert gzip.decompress(found.zipped) == found.content


def test_an_unknown_file_is_an_error_when_the_page_is_drawn() -> None:
    with pytest.raises(KeyError):
        static("no-such-file.css")


def test_vendored_files_are_those_that_are_written_down() -> None:
    """Licence, version and digest stand beside each vendored file."""
    folder = WEB / "static" / "vendor"
    table = re.findall(
        r"^\| `(\S+)` \| (\S+) (\S+) \| `(\S+)` \| `([0-9a-f]{64})` \|$",
        (folder / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )

    assert {row[0] for row in table} == {path.name for path in folder.glob("*.js")}
    for name, _, version, licence, digest in table:
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert json.dumps(version).encode() in content
        assert (folder / licence).read_text("utf-8").strip()
