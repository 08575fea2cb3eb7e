"""How near candidates come to what is shown, and what is tried at the moment."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.metrics import Gauge

LIKE = Gauge(
    "app_shadow_likeness", "How like the shown answers a shadow's were in the last day.", "prompt"
)
TRIED = Gauge("app_prompt_trials", "What runs now: experiments and shadows.", "kind")
LIKENESS = text(
    "SELECT p.name, avg(a.similarity) FROM prompt_shadows s JOIN prompts p ON p.id = s.prompt_id"
    " JOIN prompt_shadow_answers a ON a.shadow_id = s.id"
    " WHERE s.ended_at IS NULL AND a.created_at > now() - interval '1 day'"
    " AND a.similarity IS NOT NULL GROUP BY p.name"
)
RUNNING = text(
    "SELECT (SELECT count(*) FROM prompt_experiments WHERE ended_at IS NULL),"
    " (SELECT count(*) FROM prompt_shadows WHERE ended_at IS NULL)"
)


async def read(db: AsyncSession) -> None:
    LIKE.replace({(prompt,): float(likeness) for prompt, likeness in await db.execute(LIKENESS)})
    experiments, shadows = (await db.execute(RUNNING)).one()
    TRIED.replace({("experiment",): experiments, ("shadow",): shadows})
