"""Where people begin when nothing else was wished for."""

from app.auth.next_pages import first_of
from app.web.navigation import ACCOUNT, Link

ORDERS = Link("Orders", "/orders", "orders.read")


def test_it_is_the_first_link_that_each_member_is_shown():
    others = [
        Link("Profile", "/account", "account.manage", ACCOUNT),
        Link("Approvals", "/approvals", "tools.approve"),
        Link("Sometimes", "/sometimes", "orders.read", shown=lambda _: False),
    ]
    assert first_of([*others, ORDERS, Link("Later", "/later")], {"orders.read"}) == "/orders"
    assert first_of([*others, Link("For all", "/all"), ORDERS], {"orders.read"}) == "/all"


def test_without_any_it_is_the_account():
    assert first_of([ORDERS], {"account.manage"}) == "/account"
