"""Which moments stay in reach."""

import os
from datetime import timedelta

from app.backup import wal
from app.core.clock import now


def test_bases_and_the_log_are_forgotten_together(tmp_path, configure):
    """Every moment of the last days stays in reach: by the newest base before them."""
    configure(BACKUP_FOLDER=tmp_path / "kept", BACKUP_SPOOL=tmp_path / "spool")
    (tmp_path / "kept" / wal.FOLDER / "77").mkdir(parents=True)
    (place,) = wal.places()
    place.make()
    names = [f"0000000100000000000000{number:02X}" for number in range(9)]
    for name in names:
        (place.wal / f"{name}{wal.ENDING}").touch()
    for days, first in ((30, names[1]), (16, names[3]), (2, names[6])):
        taken = now() - timedelta(days=days)
        folder = place.folder / "base" / taken.strftime("%Y-%m-%dT%H-%M-%SZ")
        folder.mkdir()
        wal.Base(taken, 180000, first).write(folder)
    for name, age in ((".killed", wal.DRAFT_AGE * 2), (".under-way", wal.DRAFT_AGE / 2)):
        draft = place.folder / "base" / name
        draft.mkdir()
        (draft / "base.tar.gz.age").touch()
        then = (now() - age).timestamp()
        os.utime(draft, (then, then))

    wal.forget_old(14)

    # What a killed process had begun to copy is as large as the database.
    assert [path.name for path in (place.folder / "base").glob(".*")] == [".under-way"]
    assert [base.first_segment for _, base in place.bases()] == [names[3], names[6]]
    assert place.segments() == names[3:]
    assert wal.gap(place.segments(), names[3]) == ""
    (place.wal / f"{names[5]}{wal.ENDING}").unlink()
    assert wal.gap(place.segments(), names[3]) == names[5]

    # Of a server that is gone nothing stays once all of it is too old.
    wal.forget_old(1)
    assert [base.first_segment for _, base in place.bases()] == [names[6]]
    for path in place.wal.iterdir():
        os.utime(path, (0, 0))
    wal.forget_old(1)
    assert wal.places() == []
