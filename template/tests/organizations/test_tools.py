"""The model may ask for an invitation; it goes out when someone approves it."""

import pytest

from tests.asking import browser_of, model
from tests.factories import make_user
from tests.tools.conftest import asks, plays, says, uses

__all__ = ["browser_of", "model", "plays"]


@pytest.mark.parametrize("role", ["admin", "member"])
async def test_an_invitation_goes_out_once_it_is_approved(
    browser_of, plays, mails_to, new_address, role
):
    address = new_address
    someone = await browser_of(await make_user(role=role, password=False))
    plays(asks(("invite_member", {"email": address})), says("It waits."))
    events = await someone.ask(await someone.new(), f"Invite {address}, please.")
    if role == "member":
        assert uses(events) == [("invite_member", "refused", "not_permitted")]
        assert await mails_to(address) == []
        return
    assert uses(events) == [("invite_member", "waiting", "")]
    assert await mails_to(address) == []
    [one] = (await someone.client.get("/api/approvals")).json()["approvals"]
    assert one["arguments"] == {"email": address, "role": "member"}
    seen = {"fingerprint": one["fingerprint"]}
    answer = await someone.client.post(f"/api/approvals/{one['id']}/approve", json=seen)
    assert answer.json()["state"] == "done"
    [letter] = await mails_to(address)
    assert "invitation=" in letter.body
