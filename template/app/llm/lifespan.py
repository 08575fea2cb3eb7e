"""Loads what the first question would wait for, and settles what the last ones left open."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.guardrails import chain
from app.llm import circuit, gateway, settling
from app.llm.steps import routing


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    # A missing step or a broken guard stops the start, not the first question.
    gateway.life()
    chain.versions()
    routing.provider()
    routing.fallback()
    yield
    await settling.drain()
    await circuit.settled()
    # The client is only imported for providers that are reached over HTTP.
    if "app.llm.http" in sys.modules:
        from app.llm import http

        await http.close()
