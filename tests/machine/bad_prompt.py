"""What a process of a release with a bad prompt does when it starts: it brings its files along."""

import asyncio

from app.core import db
from app.prompts import files
from app.prompts.files import PromptFile
from model import REFUSED


async def bring() -> None:
    text = f"{REFUSED} Today is {{{{today}}}}."
    async with db.transaction(elevated=True) as session:
        found = [PromptFile("assistant.system", "What the assistant is told.", ("today",), text)]
        await files.seed(session, found)
    await db.close()


asyncio.run(bring())
