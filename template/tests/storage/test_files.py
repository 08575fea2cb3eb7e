"""The same promises on disk and in a bucket."""

import hashlib
import os
import secrets
import stat

import pytest

from app.core.ids import uuid7
from app.storage import disk, service
from app.storage.service import PIECE, FileDamaged, FileTooLarge, NoSuchFile

MOST = 4 * PIECE


async def chunks(data: bytes, size: int = 70_000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def whole(name: str, secret: str) -> bytes:
    return b"".join([piece async for piece in service.read(name, secret)])


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
async def test_what_is_kept_is_read_again(storage, size):
    data, name = secrets.token_bytes(size), service.new_name(uuid7())
    kept = await service.keep(name, chunks(data), most=MOST)

    assert (kept.size, kept.sha256) == (size, hashlib.sha256(data).digest())
    assert await whole(name, kept.secret) == data


async def raw(name: str) -> bytes:
    """What lies there, as someone sees who took the disk or the bucket."""
    backend = service._backend()
    return b"".join([piece async for piece in backend.get(name)])


async def put_raw(name: str, data: bytes) -> None:
    await service._backend().put(name, chunks(data))


@pytest.mark.asvs("14.2.4")
async def test_nothing_of_a_file_can_be_read_where_it_is_kept(storage):
    name = service.new_name(uuid7())
    await service.keep(name, chunks(b"the board meets in Lisbon " * 1000), most=MOST)

    assert b"Lisbon" not in await raw(name)


async def test_a_file_that_was_changed_cut_or_exchanged_is_not_given_out(storage):
    organization = uuid7()
    one, other = service.new_name(organization), service.new_name(organization)
    data = secrets.token_bytes(2 * PIECE + 100)
    kept = await service.keep(one, chunks(data), most=MOST)
    second = await service.keep(other, chunks(data), most=MOST)
    lying = await raw(one)
    piece = PIECE + 16

    for changed in (
        lying[:-1],
        lying[: 2 * piece],
        lying[:piece],
        lying[piece:],
        lying[piece : 2 * piece] + lying[:piece] + lying[2 * piece :],
        lying[:500] + bytes([lying[500] ^ 1]) + lying[501:],
        lying + b"x",
        b"",
    ):
        await put_raw(one, changed)
        with pytest.raises(FileDamaged):
            await whole(one, kept.secret)
    await put_raw(one, lying)
    with pytest.raises(FileDamaged):
        await whole(one, second.secret)
    await put_raw(other, lying)
    with pytest.raises(FileDamaged):
        await whole(other, kept.secret)


async def test_a_file_over_the_limit_leaves_nothing_behind(storage, tmp_path):
    name, taken = service.new_name(uuid7()), 0

    async def endless():
        nonlocal taken
        while True:
            taken += 1
            yield bytes(65_536)

    with pytest.raises(FileTooLarge):
        await service.keep(name, endless(), most=MOST)

    assert taken == MOST // 65_536 + 1
    with pytest.raises(NoSuchFile):
        await whole(name, "A" * 43 + "=")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_who_breaks_off_leaves_nothing_behind(storage, tmp_path):
    name = service.new_name(uuid7())

    async def broken():
        yield bytes(2 * PIECE)
        raise ConnectionResetError

    with pytest.raises(Exception) as failed:  # noqa: PT011 on disk it is told as ours
        await service.keep(name, broken(), most=MOST)

    assert failed.type.__name__ in {"ConnectionResetError", "StorageUnreachable"}
    with pytest.raises(NoSuchFile):
        await whole(name, "A" * 43 + "=")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_removed_file_is_gone_and_removing_it_twice_is_no_mistake(storage):
    name = service.new_name(uuid7())
    kept = await service.keep(name, chunks(b"text"), most=MOST)

    await service.remove(name)
    await service.remove(name)

    with pytest.raises(NoSuchFile):
        await whole(name, kept.secret)


@pytest.mark.asvs("5.3.2")
@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd", "/etc/passwd", "..", "", "a/b", f"{'0' * 32}/../{'0' * 32}",
        f"{'0' * 32}/{'0' * 32}/x", f"{'0' * 32}\\{'0' * 32}", f"{'0' * 32}/{'0' * 31}\0",
        f"{'0' * 32}/{'0' * 32}\n", "invoice.pdf", f"{'A' * 32}/{'0' * 32}",
        f"{'0' * 32}/{'٣' * 32}",
    ],
)  # fmt: skip
async def test_no_other_name_reaches_a_file(storage, name):
    with pytest.raises(ValueError, match="no name"):
        await service.keep(name, chunks(b"x"), most=MOST)
    with pytest.raises(ValueError, match="no name"):
        await whole(name, "A" * 43 + "=")
    with pytest.raises(ValueError, match="no name"):
        await service.remove(name)


async def test_files_stand_in_the_folder_of_their_organisation_and_are_ours_alone(
    configure, tmp_path
):
    configure(STORAGE_BACKEND="disk", STORAGE_FOLDER=tmp_path)
    organization = uuid7()
    name = service.new_name(organization)
    await service.keep(name, chunks(b"text"), most=MOST)

    path = tmp_path / name
    assert path.parent.name == organization.hex
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_disk_that_refuses_is_told_as_a_problem(configure, tmp_path):
    (tmp_path / "file").write_text("in the way")
    configure(STORAGE_BACKEND="disk", STORAGE_FOLDER=tmp_path / "file")

    with pytest.raises(service.StorageUnreachable):
        await service.keep(service.new_name(uuid7()), chunks(b"text"), most=MOST)
    with pytest.raises(OSError, match="file"):
        await disk.check()


async def test_health_sees_whether_files_can_be_kept(storage):
    await service.check()


def test_the_secret_of_a_file_is_not_printed():
    kept = service.Stored("name", "the secret", 1, os.urandom(32))
    assert "the secret" not in repr(kept)
