"""What a backup keeps of files: as they are stored, encrypted one by one."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO

from app.storage import service

IN_MEMORY = 1_048_576
READ = 262_144


def everything() -> Iterator[tuple[str, IO[bytes]]]:
    """Each file with its name. One that is deleted meanwhile is left out."""
    for name in asyncio.run(service.names()):
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            try:
                asyncio.run(_copy(name, file))
            except service.NoSuchFile:
                continue
            yield name, file


def put_back(name: str, content: IO[bytes]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while piece := content.read(READ):
            yield piece

    asyncio.run(service.store_again(name, pieces()))


async def _copy(name: str, file: IO[bytes]) -> None:
    async for piece in service.stored(name):
        file.write(piece)
