"""Whom something is seen of and done about."""

from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Literal
from uuid import UUID

from app.access.person import Person
from app.audit.service import network_of
from app.core.errors import Invalid
from app.limits.service import row_id

SubjectKind = Literal["address", "network", "everyone", "person", "key", "organization"]
PREFIXES = {4: (24, 32), 6: (48, 64)}


class NoAddress(Invalid):
    def __init__(self) -> None:
        detail = "Enter an address, or a network that ends in /24 or /48."
        super().__init__(detail, errors={"subject": detail})


@dataclass(frozen=True)
class Subject:
    kind: SubjectKind
    shown: str
    """What is kept: the network of an address, the id of anything else."""
    value: str
    """What it is told apart by; only a keyed digest of it is kept."""
    organization_id: UUID | None = None
    """Whose it is; None for what concerns the whole app."""

    @cached_property
    def key(self) -> UUID:
        return row_id(f"{self.kind}:{self.value}", "abuse")


EVERYONE = Subject("everyone", "", "")


def address(client: str) -> Subject:
    """One client address, as `limits.addresses` gives it."""
    return Subject("address", network_of(client.partition("/")[0]) or "unknown", client)


def network(client: str) -> Subject:
    """The network around a client address: /24 of IPv4, /48 of IPv6."""
    found = network_of(client.partition("/")[0]) or "unknown"
    return Subject("network", found, found)


def person(organization_id: UUID, user_id: UUID) -> Subject:
    """Someone as a member of one organisation; what is done there is not done elsewhere."""
    return Subject("person", str(user_id), f"{organization_id}:{user_id}", organization_id)


def api_key(organization_id: UUID, key_id: UUID) -> Subject:
    return Subject("key", str(key_id), str(key_id), organization_id)


def organization(organization_id: UUID) -> Subject:
    return Subject("organization", str(organization_id), str(organization_id), organization_id)


def asking(who: Person) -> Subject:
    """The key that asks, or else the person."""
    if who.by_key:
        return api_key(who.organization_id, who.session_id)
    return person(who.organization_id, who.user_id)


def held(who: Person) -> tuple[Subject, ...]:
    """Whose measures bind whoever asks: a key does nothing that its owner may not."""
    owner = person(who.organization_id, who.user_id)
    return (asking(who), owner) if who.by_key else (owner,)


def typed(text: str) -> Subject:
    """An address or a network as an administrator writes it. Raises `NoAddress`."""
    try:
        found = ip_network(text.strip())
    except ValueError:
        raise NoAddress from None
    wide, narrow = PREFIXES[found.version]
    if found.prefixlen == wide:
        return network(str(found.network_address))
    if found.prefixlen < narrow:
        raise NoAddress
    # Of IPv6 the /64 is one address.
    one = ip_address(found.network_address)
    whole = ip_network(f"{one}/64", strict=False) if found.version == 6 else one
    return address(str(whole))
