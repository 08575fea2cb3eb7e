"""A model feature that is switched off leaves no answers behind; `app.flags` tells."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.cache.call_step import SWITCH
from app.cache.service import forget_feature
from app.flags.switches import ALL, PREFIX


async def switched(db: AsyncSession, name: str) -> None:
    """A flag was set."""
    if name in {ALL, SWITCH}:
        await forget_feature(db, "")
    elif name.startswith(PREFIX):
        await forget_feature(db, name.removeprefix(PREFIX))
