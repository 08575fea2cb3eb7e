"""What keeps a version of a prompt from going live; `app.prompts` asks for it."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.evals import service
from app.evals.cases import FOLDER, suites
from app.evals.models import EvalRun
from app.evals.settings import EvalsSettings
from app.llm.steps import routing


async def lacking(db: AsyncSession, name: str, number: int) -> list[str]:
    """Sentences; nothing when this very version has passed with the model that answers now."""
    known = suites(prompt=name) if FOLDER.is_dir() else []
    if FOLDER.is_dir() and not known:
        return ["No suite in evals/ is about this prompt."]
    provider = routing.provider()
    found = await service.latest(db, name, number, provider)
    if found is None:
        days = f"in the last {EvalsSettings.load().gate_days} days"
        told = f"All of its suites must be run with this version and {provider.model}"
        return [f"{told}; {days} they were not."]
    # What was added or made stricter since was not asked.
    changed = [one.title for one in known if _digest(found, one.suite) != one.digest]
    if changed:
        return [
            f"Its cases changed since it was evaluated: {', '.join(changed)}. Evaluate it anew."
        ]
    return list(found.verdicts)


def _digest(found: EvalRun, suite: str) -> str:
    return str((found.suites.get(suite) or {}).get("digest", ""))
