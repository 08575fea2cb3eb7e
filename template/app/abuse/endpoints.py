from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from app.abuse import service
from app.abuse.dependencies import Manager, Reader
from app.abuse.schemas import (
    Kind,
    Lift,
    LockoutOut,
    MeasureIn,
    MeasureOut,
    MeasurePage,
    SightingOut,
    SightingPage,
    SubjectKind,
)
from app.core.db import Database
from app.core.errors import NotFound
from app.core.problems import may

router = APIRouter(prefix="/api/abuse", tags=["abuse"])

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/sightings")
async def list_sightings(
    db: Database,
    person: Reader,
    kind: Kind | None = None,
    before: UUID | None = None,
    limit: Limit = 50,
) -> SightingPage:
    """What was seen of one's own organisation, newest first."""
    page = await service.sightings(db, kind=kind or "", before=before, limit=limit)
    return SightingPage(
        sightings=[SightingOut.model_validate(one) for one in page.rows], next=page.before
    )


@router.get("/measures")
async def list_measures(
    db: Database,
    person: Reader,
    state: Literal["in-force", "ended"] = "in-force",
    of: SubjectKind | None = None,
    before: UUID | None = None,
    limit: Limit = 50,
) -> MeasurePage:
    """What is done about it, or was, newest first."""
    page = await service.measures(db, state=state, of=of or "", before=before, limit=limit)
    return MeasurePage(
        measures=[MeasureOut.model_validate(one) for one in page.rows], next=page.before
    )


@router.post("/measures", status_code=201, responses=may(service.NotAboutYourself, NotFound))
async def set_measure(form: MeasureIn, db: Database, person: Manager) -> MeasureOut:
    """Slow, challenge or suspend someone for a time."""
    subject = await service.subject_of(db, person, form.subject_kind, form.subject)
    made = await service.set_measure(
        db, person, subject, form.measure, minutes=form.minutes, reason=form.reason
    )
    return MeasureOut.model_validate(made)


@router.post("/measures/{measure_id}/lift", responses=may(service.NotAboutYourself))
async def lift_measure(measure_id: UUID, form: Lift, db: Database, person: Manager) -> MeasureOut:
    """End a measure now."""
    return MeasureOut.model_validate(await service.lift(db, person, measure_id, form.reason))


@router.get("/lockouts")
async def list_lockouts(db: Database, person: Reader) -> list[LockoutOut]:
    """Members whose login was guessed at, so that strangers have to wait."""
    return [LockoutOut.model_validate(one) for one in await service.locked_out(db)]


@router.post("/lockouts/{user_id}/lift", status_code=204)
async def lift_lockout(user_id: UUID, form: Lift, db: Database, person: Manager) -> None:
    """End the wait at a member's login."""
    await service.lift_lockout(db, person, user_id, form.reason)
