"""What only a server can do: refuse, be slow, be away."""

import asyncio
import os
from datetime import timedelta

import pytest
from aiohttp import web
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Theirs

from app.core.clock import now
from app.core.ids import uuid7
from app.core.sigv4 import Credentials, signed
from app.storage import role, s3, service
from app.storage.service import NoSuchFile, StorageUnreachable
from app.storage.settings import StorageSettings
from tests.storage.conftest import on_s3
from tests.storage.test_files import MOST, chunks, whole


@pytest.fixture
async def unkind():
    """A server that answers with the statuses it is told, and then as S3 does."""
    asked: list[tuple[str, dict[str, str], bytes]] = []
    waiting: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.method, dict(request.headers), await request.read()))
        return web.Response(status=waiting.pop(0) if waiting else 200)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}", asked, waiting
    await runner.cleanup()


async def test_an_upload_is_tried_again_from_its_beginning(unkind, configure, monkeypatch):
    monkeypatch.setattr(s3, "SECONDS_BETWEEN", 0)
    url, asked, waiting = unkind
    on_s3(configure, url)
    waiting[:] = [503, 500]

    await service.keep(service.new_name(uuid7()), chunks(b"text" * 100), most=MOST)

    bodies = [body for _, _, body in asked]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert len(bodies[0]) == 400 + 16
    assert asked[0][1]["Content-Length"] == "416"


@pytest.mark.parametrize(("status", "times"), [(403, 1), (301, 1), (503, 3)])
async def test_a_refusal_is_told_without_what_the_server_wrote(
    unkind, configure, monkeypatch, status, times
):
    monkeypatch.setattr(s3, "SECONDS_BETWEEN", 0)
    url, asked, waiting = unkind
    on_s3(configure, url)
    waiting[:] = [status] * 5

    with pytest.raises(StorageUnreachable):
        await service.keep(service.new_name(uuid7()), chunks(b"text"), most=MOST)
    assert len(asked) == times


async def test_a_server_that_is_away_is_a_problem_and_no_traceback(configure, monkeypatch):
    monkeypatch.setattr(s3, "SECONDS_BETWEEN", 0)
    on_s3(configure, "http://127.0.0.1:9")
    with pytest.raises(StorageUnreachable):
        await whole(service.new_name(uuid7()), "A" * 43 + "=")
    with pytest.raises(StorageUnreachable):
        await service.check()


@pytest.mark.dear
async def test_a_bucket_that_is_not_there_is_seen_by_health(configure, s3_server):
    on_s3(configure, s3_server, STORAGE_S3_BUCKET="another")
    with pytest.raises(StorageUnreachable):
        await service.check()


@pytest.mark.dear
async def test_many_at_once_do_not_mix(configure, s3_server):
    on_s3(configure, s3_server)

    async def one(number: int) -> None:
        name, data = service.new_name(uuid7()), bytes([number]) * (number * 40_000)
        kept = await service.keep(name, chunks(data), most=MOST)
        assert await whole(name, kept.secret) == data
        await service.remove(name)
        with pytest.raises(NoSuchFile):
            await whole(name, kept.secret)

    await asyncio.gather(*(one(number) for number in range(12)))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_our_signature_is_the_one_that_botocore_makes(method, monkeypatch):
    moment = now()
    monkeypatch.setattr(auth, "get_current_datetime", lambda: moment.replace(tzinfo=None))
    url = f"https://s3.eu-central-1.amazonaws.com/files/{'0' * 32}/{'1' * 32}"
    body = os.urandom(20) if method == "PUT" else b""
    request = AWSRequest(method, url, data=body)
    signer = auth.S3SigV4Auth(Theirs("AKIA", "secret", "token"), "s3", "eu-central-1")
    signer.add_auth(request)

    ours = signed(
        url, body, {}, Credentials("AKIA", "secret", "token"),
        region="eu-central-1", service="s3", moment=moment, method=method,
    )  # fmt: skip

    assert request.headers["Authorization"] == ours["Authorization"]


def test_production_wants_a_folder_that_stays_or_a_whole_server(configure, monkeypatch):
    monkeypatch.delenv("STORAGE_FOLDER", raising=False)
    configure(STORAGE_BACKEND="disk")
    assert "STORAGE_FOLDER" in StorageSettings.load().production_problems()[0]
    configure(STORAGE_FOLDER="/srv/files")
    assert StorageSettings.load().production_problems() == []
    configure(STORAGE_BACKEND="s3")
    assert len(StorageSettings.load().production_problems()) == 5
    on_s3(configure, "http://minio:9000")
    assert StorageSettings.load().production_problems() == []
    server, _ = StorageSettings.load().outside()
    [problem] = server.problems([])
    assert "STORAGE_S3_URL: minio" in problem
    assert server.problems(["minio"]) == []


async def test_the_bucket_is_made_once_and_may_be_made_again(s3_server, configure):
    on_s3(configure, s3_server, STORAGE_S3_BUCKET="fresh")
    with pytest.raises(service.StorageUnreachable):
        await service.check()

    for _ in range(2):
        await s3.make_bucket()

    await service.check()


async def test_without_a_key_the_clouds_role_signs_and_is_renewed_before_it_runs_out(
    unkind, configure, monkeypatch, tmp_path
):
    url, asked, _ = unkind
    handed_out = []

    async def hand_out(request: web.Request) -> web.Response:
        handed_out.append(request.headers.get("Authorization"))
        if len(handed_out) == 2:
            return web.Response(status=500)
        until = now() + timedelta(minutes=4 if len(handed_out) == 1 else 60)
        return web.json_response(
            {
                "AccessKeyId": f"ROLE{len(handed_out)}",
                "SecretAccessKey": "of-the-role",
                "Token": "for-a-while",
                "Expiration": until.isoformat(),
            }
        )

    app = web.Application()
    app.router.add_get("/v1/credentials", hand_out)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "token").write_text("of-the-pod\n")
    where = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/credentials"
    on_s3(configure, url, STORAGE_S3_ACCESS_KEY="", STORAGE_S3_SECRET_KEY="")
    assert "STORAGE_S3_ACCESS_KEY" in " ".join(StorageSettings.load().production_problems())
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", where)
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    assert StorageSettings.load().production_problems() == []

    for _ in range(4):
        await service.check()
    await runner.cleanup()

    assert handed_out == ["of-the-pod"] * 3, "the first had four minutes left, the third an hour"
    used = [headers["Authorization"].partition("Credential=")[2][:5] for _, headers, _ in asked]
    assert used == ["ROLE1", "ROLE1", "ROLE3", "ROLE3"]
    assert {headers["X-Amz-Security-Token"] for _, headers, _ in asked} == {"for-a-while"}

    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/gone")
    with pytest.raises(StorageUnreachable):
        await service.check()
    for elsewhere in ("http://role.example.com/", "http://169.254.169.254/latest"):
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", elsewhere)
        assert role.address() == "", "only ECS, EKS and this machine hand out roles"
