"""What the model may do with members, when someone approves it."""

from typing import Literal

from pydantic import EmailStr, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.tools.registry import Arguments, Use, tool
from app.users import service


class Inviting(Arguments):
    email: EmailStr = Field(max_length=254, description="The address of the person to invite.")
    role: Literal["member", "reviewer"] = "member"


@tool(title="Invite someone", permission="users.manage", stakes="high", taints=False)
async def invite_member(db: AsyncSession, use: Use, arguments: Inviting) -> str:
    """Invite someone by mail into the organisation, when the person asks for that."""
    await service.invite(db, use.person, arguments.email, arguments.role)
    return "The invitation is sent."
