from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.core.db import Database
from app.core.problems import may
from app.review import cases, service
from app.review.dependencies import Reviewer
from app.review.models import ReviewCase
from app.review.schemas import CaseIn, CaseOut, CasesPage, ProposedOut

router = APIRouter(prefix="/api/review", tags=["review"])

YAML: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"application/yaml": {"schema": {"type": "string"}}},
    }
}


@router.get("/cases")
async def list_cases(
    db: Database,
    _: Reviewer,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CasesPage:
    """Corrections that became cases, the newest first."""
    found, following = await cases.listed(db, before=before, most=limit)
    return CasesPage(cases=[CaseOut.model_validate(one) for one in found], next=following)


@router.get("/cases.yml", response_class=Response, responses=YAML | may(cases.NoSuchCase))
async def export_cases(
    db: Database,
    person: Reviewer,
    prompt: Annotated[str, Query(max_length=80)] = "assistant.system",
) -> Response:
    """A suite of a prompt's cases, for the folder `evals/`."""
    return Response(
        await cases.exported(db, person, prompt),
        media_type="application/yaml",
        headers={"Content-Disposition": 'attachment; filename="corrections.yml"'},
    )


@router.delete("/cases/{case_id}", status_code=204, responses=may(cases.NoSuchCase))
async def delete_case(case_id: UUID, db: Database, person: Reviewer) -> None:
    await cases.remove(db, person, case_id)


@router.get("/{look_id}/case", responses=may(service.NoSuchReview, cases.NotCorrected))
async def propose_case(look_id: UUID, db: Database, person: Reviewer) -> ProposedOut:
    """What the correction would be as a case, without what says who someone is."""
    return ProposedOut.model_validate(await cases.propose(db, person, look_id))


@router.put(
    "/{look_id}/case",
    response_model=CaseOut,
    responses=may(service.NoSuchReview, cases.NotCorrected, cases.CaseInvalid),
)
async def save_case(look_id: UUID, case: CaseIn, db: Database, person: Reviewer) -> ReviewCase:
    """Keep it, as you have read and changed it."""
    return await cases.save(db, person, look_id, **case.model_dump())
