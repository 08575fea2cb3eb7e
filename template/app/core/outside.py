"""Servers that the app talks to. Each module's settings name theirs; nothing else is called.

`outbound` calls no other address, production does not start when one is reached in clear, and
docs/security/outside-services.md lists them.
"""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from yarl import URL

from app.core.errors import CannotStart


@dataclass(frozen=True)
class Outside:
    """A service and, when it is in use with the settings as they are, where it answers."""

    name: str
    gets: str
    """What it is for and what it is sent."""
    setting: str
    """The environment variable that names it."""
    addresses: tuple[str, ...] = ()
    """URLs without a password; none while the service is not in use."""
    proves_its_name: bool | None = None
    """Whether TLS is asked for and the certificate looked at. None: as the scheme says."""

    def problems(self, trusted: Collection[str]) -> list[str]:
        """Why production may not talk to it like this; hosts in `trusted` need no TLS."""
        found = [URL(one) for one in self.addresses]
        return [
            f"{self.setting}: {url.host} would be reached without TLS or without a look at its"
            " certificate. Use https, for the database sslmode=verify-full; a host in a network of"
            " yours may stand in UNENCRYPTED_HOSTS."
            for url in found
            if not (url.scheme == "https" if self.proves_its_name is None else self.proves_its_name)
            and url.host not in trusted
            and not is_here(url.host or "")
        ]


def is_here(host: str) -> bool:
    """Whether a host is this machine, so that nobody listens on the way."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def declared(url: str, services: Iterable[Outside]) -> bool:
    """Whether an address has scheme, host and port of one that is in use."""
    known = {_server(one) for service in services for one in service.addresses}
    return _server(url) in known


def _server(url: str) -> tuple[str, str | None, int | None]:
    found = URL(url)
    return found.scheme, found.raw_host, found.port


def database(setting: str, url: str, gets: str) -> Outside:
    """A PostgreSQL server as a service; its name is proved with sslmode=verify-full only."""
    plain = url.replace("postgresql+psycopg:", "postgresql:", 1)
    try:
        parts = conninfo_to_dict(plain)
    except ProgrammingError:
        # What it says quotes the address, and so the password.
        raise CannotStart(f"{setting} must start with postgresql://.") from None
    hosts = str(parts.get("host") or parts.get("hostaddr") or "").split(",")
    # A path is a socket of this machine.
    named = [one for one in hosts if one and not one.startswith(("/", "@"))]
    mode = parts.get("sslmode") or os.environ.get("PGSSLMODE")
    return Outside(
        name="PostgreSQL",
        gets=gets,
        setting=setting,
        addresses=tuple(
            f"postgresql://[{one}]" if ":" in one else f"postgresql://{one}" for one in named
        ),
        proves_its_name=mode == "verify-full",
    )
