from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.core.db import Database
from app.core.problems import may
from app.tools import approving, service
from app.tools.dependencies import Approver, DecideLimit, ProvenApprover
from app.tools.schemas import Approval, ApprovalsPage, Decided, Seen

router = APIRouter(prefix="/api/approvals", tags=["tools"])


@router.get("")
async def list_approvals(
    db: Database,
    person: Approver,
    show: service.Show = "all",
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ApprovalsPage:
    """What you may decide or have decided, and what models asked for in your name, newest first."""
    found, following = await service.listed(db, person, show=show, before=before, most=limit)
    return ApprovalsPage(approvals=[Approval.of(one) for one in found], next=following)


@router.get("/{approval_id}")
async def read_approval(approval_id: UUID, db: Database, person: Approver) -> Approval:
    return Approval.of(await service.shown(db, person, approval_id))


@router.post(
    "/{approval_id}/approve",
    responses=may(service.NotWaiting, service.NotWhatWasShown, service.YourOwnRequest),
)
async def approve(approval_id: UUID, seen: Seen, person: ProvenApprover, _: DecideLimit) -> Decided:
    """Let it happen, as the person who asked, if they may still do it."""
    outcome = await approving.approve(person, approval_id, seen.fingerprint)
    return Decided(state=outcome.state, reason=outcome.reason)


@router.post("/{approval_id}/decline", status_code=204, responses=may(service.NotWaiting))
async def decline(approval_id: UUID, db: Database, person: Approver, _: DecideLimit) -> None:
    """Say no, also to what was asked for in your own name."""
    await service.decline(db, person, approval_id)
