"""How well the last finished evaluation of each prompt went, with the model that answers now."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.metrics import Gauge
from app.llm.steps import routing

PASSED = Gauge("app_eval_passed_share", "Cases that passed in the newest whole run.", "prompt")
CASES = Gauge("app_eval_cases", "Cases of that run that were asked.", "prompt")
NEWEST = text(
    "SELECT run.prompt, count(*) FILTER (WHERE result.state = 'passed'), count(*)"
    " FROM (SELECT DISTINCT ON (prompt) id, prompt FROM eval_runs"
    "       WHERE state = 'finished' AND complete AND provider = :provider AND model = :model"
    "       ORDER BY prompt, created_at DESC) run"
    " JOIN eval_results result ON result.run_id = run.id AND result.state <> 'skipped'"
    " GROUP BY run.prompt"
)


async def read(db: AsyncSession) -> None:
    # Cheaper models are only looked at: that one of them fails is nobody's alarm.
    usual = routing.provider()
    asked = {"provider": usual.name, "model": usual.model}
    rows = (await db.execute(NEWEST, asked)).all()
    PASSED.replace({(prompt,): passed / cases for prompt, passed, cases in rows})
    CASES.replace({(prompt,): cases for prompt, _, cases in rows})
