"""How well the last finished evaluation of each prompt went."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.metrics import Gauge

PASSED = Gauge("app_eval_passed_share", "Cases that passed in the newest whole run.", "prompt")
CASES = Gauge("app_eval_cases", "Cases of that run that were asked.", "prompt")
NEWEST = text(
    "SELECT run.prompt, count(*) FILTER (WHERE result.state = 'passed'), count(*)"
    " FROM (SELECT DISTINCT ON (prompt) id, prompt FROM eval_runs"
    "       WHERE state = 'finished' AND complete ORDER BY prompt, created_at DESC) run"
    " JOIN eval_results result ON result.run_id = run.id AND result.state <> 'skipped'"
    " GROUP BY run.prompt"
)


async def read(db: AsyncSession) -> None:
    rows = (await db.execute(NEWEST)).all()
    PASSED.replace({(prompt,): passed / cases for prompt, passed, cases in rows})
    CASES.replace({(prompt,): cases for prompt, _, cases in rows})
