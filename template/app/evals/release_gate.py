"""What keeps a version of a prompt from going live; `app.prompts` asks for it."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.evals import service
from app.evals.cases import FOLDER, suites
from app.evals.settings import EvalsSettings
from app.llm.steps import routing


async def lacking(db: AsyncSession, name: str, number: int) -> list[str]:
    """Sentences; nothing when this very version has passed with the model that answers now."""
    if FOLDER.is_dir() and not suites(prompt=name):
        return ["No suite in evals/ is about this prompt."]
    provider = routing.provider()
    found = await service.latest(db, name, number, provider)
    if found is None:
        days = f"in the last {EvalsSettings.load().gate_days} days"
        told = f"All of its suites must be run with this version and {provider.model}"
        return [f"{told}; {days} they were not."]
    return list(found.verdicts)
