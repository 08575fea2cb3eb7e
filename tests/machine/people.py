"""Make accounts, as `app create-admin` does for one: `python people.py COUNT`."""

import asyncio
import sys

from app.auth import administrator
from app.core import db
from load import PASSWORD


async def make(count: int) -> None:
    for number in range(count):
        await administrator.create(f"person{number}@example.com", f"Person {number}", PASSWORD)
    await db.close()


asyncio.run(make(int(sys.argv[1])))
