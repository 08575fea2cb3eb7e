"""The way out for whoever runs the app and sits behind a suspended address."""

import asyncio
import os
import sys

import pytest

from app.abuse import in_force
from tests.abuse.conftest import measures, right_password, try_password
from tests.conftest import ROOT
from tests.factories import make_user

pytestmark = pytest.mark.dear


async def lift(of):
    """In a process of its own, as on a server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.cli", "abuse", "lift", of),
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_suspended_address_is_lifted_on_the_server(client, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    for _ in range(8):
        await try_password(client)
    admin = await make_user(role="admin")
    assert (await right_password(client, admin)).status_code == 429
    code, said = await lift(client._transport.client[0])
    assert (code, said.strip()) == (0, "Lifted: 3.")
    assert all(one["lifted_at"] for one in await measures() if one["subject_kind"] == "address")
    in_force.forget()  # here, and not after the seconds that a process goes by what it read
    assert (await right_password(client, admin)).status_code == 200
    assert (await lift(client._transport.client[0]))[1].strip() == "Nothing was in force."


@pytest.mark.parametrize("of", ["10.0.0.0/8", "nonsense"])
async def test_nothing_wider_is_lifted(of):
    code, said = await lift(of)
    assert code == 2
    assert "/24" in said
