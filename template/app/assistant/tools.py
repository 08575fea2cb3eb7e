"""What the model may do with a conversation."""

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.assistant import service
from app.core.errors import Invalid
from app.tools.registry import Arguments, Use, tool


class Renaming(Arguments):
    title: str = Field(min_length=1, max_length=120, description="What it is called from now on.")


@tool(title="Rename the conversation", permission="assistant.use", stakes="write", taints=False)
async def rename_conversation(db: AsyncSession, use: Use, arguments: Renaming) -> str:
    """Give the conversation that you are in another title, when the person asks for that."""
    if use.conversation_id is None:
        raise Invalid("This is no conversation.")
    await service.rename(db, use.conversation_id, " ".join(arguments.title.split()))
    return "The conversation has its new title."
