"""What the libraries alone can do, for comparison: `uvicorn floors:profile` or `floors:relay`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

import aiohttp
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Reader(Base):
    __tablename__ = "floor_users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    display_name: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime]


class ReaderOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    display_name: str
    role: str
    created_at: datetime


def profile() -> FastAPI:
    """One row by primary key: FastAPI, SQLAlchemy's ORM, psycopg, a pool of ten."""
    engine = create_async_engine(os.environ["FLOOR_DATABASE_URL"], pool_size=10, max_overflow=0)
    new_session = async_sessionmaker(engine, expire_on_commit=False)
    one = UUID(os.environ["FLOOR_ID"])

    async def database() -> AsyncIterator[AsyncSession]:
        async with new_session() as session:
            yield session

    app = FastAPI()

    @app.get("/")
    async def read(db: Annotated[AsyncSession, Depends(database)]) -> ReaderOut:
        return ReaderOut.model_validate(await db.get_one(Reader, one))

    return app


def relay() -> FastAPI:
    """Pass a model's stream on untouched."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as app.state.client:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            body = {"model": "m", "stream": True, "messages": []}
            url = os.environ["MODEL_URL"] + "/chat/completions"
            async with app.state.client.post(url, json=body) as answer:
                async for piece in answer.content.iter_any():
                    yield piece

        return StreamingResponse(pieces(), media_type="text/event-stream")

    return app
