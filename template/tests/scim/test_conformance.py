"""scim2-tester, which others wrote, against the running app."""

import asyncio

import httpx2
import pytest

pytestmark = pytest.mark.dear


@pytest.fixture
def public_address(configure, live_server):
    configure(PUBLIC_URL=live_server)
    return f"{live_server}/scim/v2"


async def test_the_conformance_tester_finds_nothing_wrong(public_address, token):
    headers = {"Authorization": f"Bearer {token}"}

    def check():
        # A second to import, which every test process would take to collect this file; and four
        # below pytest: its classes look for their docstrings in each frame above them.
        from scim2_client.engines.httpx2 import SyncSCIMClient
        from scim2_tester import check_server

        with httpx2.Client(base_url=public_address, headers=headers) as http:
            return check_server(SyncSCIMClient(http))

    results = await asyncio.to_thread(check)
    from scim2_tester import Status

    wrong = [
        f"{one.title} {one.resource_type}: {one.reason}"
        for one in results
        if one.status not in {Status.SUCCESS, Status.SKIPPED, Status.ACCEPTABLE}
    ]
    assert wrong == []
    # It describes the server by what it publishes; with less it would have checked less.
    assert sum(one.status == Status.SUCCESS for one in results) > 60
    assert {one.resource_type for one in results} >= {"User", "Group"}
