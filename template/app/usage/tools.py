"""What the model may know of what is used up."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.tools.registry import Arguments, Use, tool
from app.usage import reports
from app.usage.schemas import AllowanceOut


class Nothing(Arguments):
    pass


@tool(title="Look at your usage", permission="usage.read_own", stakes="read", taints=False)
async def own_usage(db: AsyncSession, use: Use, arguments: Nothing) -> dict[str, object]:
    """Look up what the person has used of each budget for models, and what its limit is.

    Hours and days count tokens, months count millionths of a US dollar.
    """
    left = await reports.allowances(db, use.person)
    return {"budgets": [AllowanceOut.model_validate(one).model_dump(mode="json") for one in left]}
