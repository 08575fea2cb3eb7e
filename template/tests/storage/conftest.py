"""Files on disk, and on a server that speaks S3 and checks signatures."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.sigv4 import EMPTY
from tests.conftest import free_port

BUCKET, REGION = "files", "eu-central-1"
KEYS = {"STORAGE_S3_ACCESS_KEY": "AKIAEXAMPLE", "STORAGE_S3_SECRET_KEY": "a-secret-of-a-test"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """moto's server, a process of its own, with one bucket."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MOTO_S3_CUSTOM_ENDPOINTS": ""},
    )
    try:
        asyncio.run(_make_bucket(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _make_bucket(port: int) -> None:
    import aiohttp

    kind = "CreateBucketConfiguration"
    body = f"<{kind}><LocationConstraint>{REGION}</LocationConstraint></{kind}>"
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                made = await session.put(
                    f"http://127.0.0.1:{port}/{BUCKET}", data=body, headers={"x-amz-content": EMPTY}
                )
                assert made.status == 200, await made.text()
                return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
    raise TimeoutError("moto does not start")


@pytest.fixture(params=["disk", pytest.param("s3", marks=pytest.mark.dear)])
def storage(request: pytest.FixtureRequest, configure: Callable[..., None], tmp_path: Path) -> str:
    """Each test runs on both."""
    if request.param == "disk":
        configure(STORAGE_BACKEND="disk", STORAGE_FOLDER=tmp_path / "files")
    else:
        on_s3(configure, request.getfixturevalue("s3_server"))
    return str(request.param)


def on_s3(configure: Callable[..., None], url: str, **more: object) -> None:
    wanted = {"STORAGE_S3_URL": url, "STORAGE_S3_BUCKET": BUCKET, "STORAGE_S3_REGION": REGION}
    configure(**{"STORAGE_BACKEND": "s3"} | wanted | KEYS | more)
