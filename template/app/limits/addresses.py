"""Whom a request is counted for."""

from ipaddress import IPv6Address, IPv6Network

from starlette.types import Scope

IPV6_HOST_BITS = 64


def client_address(scope: Scope) -> str:
    """The client's address, as corrected by the trusted proxies; of IPv6 the network of /64.

    A home has a whole /64, so a limit per single IPv6 address would be none.
    """
    host: str = (scope.get("client") or ("unknown",))[0]
    if ":" not in host:
        return host
    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> IPV6_HOST_BITS << IPV6_HOST_BITS, IPV6_HOST_BITS)))
