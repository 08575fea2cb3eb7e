from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.core.db import Database
from app.core.problems import may
from app.usage import ceilings
from app.usage.budgets import BudgetsChangedMeanwhile
from app.usage.ceilings import NoSuchOrganization, Operator, ProvenOperator
from app.usage.schemas import BoundedOut, BoundedPage, CeilingsIn

router = APIRouter(prefix="/api/usage/ceilings", tags=["usage"])


@router.get("")
async def list_ceilings(
    db: Database,
    person: Operator,
    search: Annotated[str, Query(max_length=100)] = "",
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> BoundedPage:
    """Every organisation with what it spent this month and may use at most, the dearest first."""
    found = await ceilings.page(db, search=search, before=before, limit=limit)
    return BoundedPage(
        organizations=[BoundedOut.model_validate(one) for one in found.rows], next=found.before
    )


@router.get("/{organization_id}", responses=may(NoSuchOrganization))
async def read_ceilings(db: Database, person: Operator, organization_id: UUID) -> BoundedOut:
    """The same of one organisation."""
    return BoundedOut.model_validate(await ceilings.one(db, organization_id))


@router.put(
    "/{organization_id}",
    status_code=204,
    responses=may(NoSuchOrganization, BudgetsChangedMeanwhile),
)
async def set_ceilings(
    db: Database, person: ProvenOperator, organization_id: UUID, wanted: CeilingsIn
) -> None:
    """Set what an organisation may use at most; it holds from its next call on."""
    given = wanted.model_dump(exclude={"seen"})
    await ceilings.give(db, organization_id, given, person=person, seen=wanted.seen)
