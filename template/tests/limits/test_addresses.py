import pytest

from app.limits.addresses import client_address


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_a_client_is_an_address_or_an_ipv6_network(host, counted):
    assert client_address({"client": (host, 1)}) == counted


def test_a_client_on_a_unix_socket_is_counted_too():
    assert client_address({"client": None}) == "unknown"
