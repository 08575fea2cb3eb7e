"""A correction becomes a case that prompts are tried with: proposed, read by a person, saved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import uuid7
from app.evals.cases import Case, Suite
from app.review import service
from app.review.deidentifying import Deidentifier
from app.review.models import ReviewCase, ReviewItem
from app.review.service import Looked
from app.users.models import User

CheckKind = Literal["rubric", "contains", "equals", "similar"]
RUBRIC = "The answer says the same as this one, which a person wrote: "
NEAR = 0.8
FLOOR = 0.8
MOST_NAMES = 1000


class NotCorrected(Conflict):
    """Only a correction says what an answer should be."""

    def __init__(self) -> None:
        super().__init__("Only an answer that was corrected becomes a case.")


class NoSuchCase(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such case.")


class CaseInvalid(Invalid):
    """An evaluation could not read it."""


@dataclass(frozen=True)
class Proposed:
    """A case as it is shown before it is saved."""

    look_id: UUID
    question: str
    text: str
    check: CheckKind = "rubric"
    context: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """Kinds of data that were taken out."""


async def propose(db: AsyncSession, person: Person, look_id: UUID) -> Proposed:
    """The correction as a case, without what says who someone is. Nothing is saved."""
    found = await _corrected(db, person, look_id)
    item = found.item
    reader = await _deidentifier(db, item)
    question, text = reader.read(item.question), reader.read(found.look.correction)
    context = [reader.read(one) for one in _quotes(item)]
    return Proposed(look_id, question, text, context=context, removed=reader.kinds)


async def save(
    db: AsyncSession,
    person: Person,
    look_id: UUID,
    *,
    question: str,
    text: str,
    check: CheckKind = "rubric",
    context: Sequence[str] = (),
) -> ReviewCase:
    """Keep it as the person has read and changed it; saved again, it replaces what was saved."""
    found = await _corrected(db, person, look_id)
    # Locked, so that what is sent twice at once is saved once.
    item = await db.get_one(ReviewItem, found.item.id, with_for_update=True)
    reader = await _deidentifier(db, item)
    for original in (item.question, found.look.correction, *_quotes(item)):
        reader.read(original)  # So that the same data keeps its placeholder, and is told below.
    # Read once more: what somebody typed back in does not get through either.
    question, text = reader.read(question), reader.read(text)
    passages = [reader.read(one) for one in context if one.strip()]
    case = await db.scalar(select(ReviewCase).where(ReviewCase.item_id == item.id))
    if case is None:
        case = ReviewCase(
            id=uuid7(), organization_id=person.organization_id, item_id=item.id, prompt=item.prompt
        )
        db.add(case)
    case.made_by, case.question, case.context = person.user_id, question, passages
    case.expect = _expect(check, text)
    case.origin = {
        "item": str(item.id),
        "call": str(item.call_id),
        "feature": item.feature,
        "prompt_version": item.prompt_version,
        "model": item.model,
        "reason": item.reason,
        "corrected": f"{found.look.done_at:%Y-%m-%d}",
        "saved": f"{now():%Y-%m-%d}",
        "removed": reader.kinds,
    }
    _as_case(case)
    await db.flush()
    await audit.record(
        db,
        "review.case_saved",
        person=person,
        target=case.id,
        detail={"call": str(item.call_id), "removed": reader.kinds},
    )
    return case


def _quotes(item: ReviewItem) -> list[str]:
    return [one["quote"] for one in item.sources if one.get("quote")]


def _expect(check: CheckKind, text: str) -> dict[str, Any]:
    if check == "rubric":
        return {"rubric": RUBRIC + text}
    return {check: {"to": text, "at_least": NEAR} if check == "similar" else text}


async def listed(
    db: AsyncSession, *, before: UUID | None = None, most: int = 50
) -> tuple[Sequence[ReviewCase], UUID | None]:
    """The newest first, from behind `before`; and where the next page begins."""
    query = select(ReviewCase).order_by(ReviewCase.id.desc()).limit(most + 1)
    if before:
        query = query.where(ReviewCase.id < before)
    rows = (await db.scalars(query)).all()
    page = rows[:most]
    return page, page[-1].id if len(rows) > most else None


async def prompts(db: AsyncSession) -> Sequence[str]:
    """Those that have cases."""
    return (
        await db.scalars(select(ReviewCase.prompt).distinct().order_by(ReviewCase.prompt))
    ).all()


async def remove(db: AsyncSession, person: Person, case_id: UUID) -> None:
    gone = await db.scalar(
        delete(ReviewCase).where(ReviewCase.id == case_id).returning(ReviewCase.id)
    )
    if gone is None:
        raise NoSuchCase
    await audit.record(db, "review.case_removed", person=person, target=case_id)


async def exported(db: AsyncSession, person: Person, prompt: str) -> str:
    """A file for `evals/`: the suite `corrections` of a prompt."""
    query = select(ReviewCase).where(ReviewCase.prompt == prompt).order_by(ReviewCase.id)
    found = (await db.scalars(query)).all()
    if not found:
        raise NoSuchCase
    suite = {
        "suite": "corrections",
        "title": "What people corrected",
        "prompt": prompt,
        "floor": FLOOR,
        "cases": [
            _as_case(one).model_dump(mode="json", exclude_defaults=True, exclude={"split"})
            for one in found
        ],
    }
    Suite.model_validate(suite)
    await audit.record(
        db, "review.cases_exported", person=person, detail={"cases": len(found), "prompt": prompt}
    )
    import yaml  # late, as a start has no use for it

    return str(yaml.safe_dump(suite, sort_keys=False, allow_unicode=True, width=100))


def _as_case(one: ReviewCase) -> Case:
    """As evaluations read it. Raises `CaseInvalid`."""
    told = ", ".join(f"{name} {value}" for name, value in one.origin.items() if value)
    try:
        return Case.model_validate(
            {
                "id": f"review-{one.id.hex}",
                "input": one.question,
                "context": one.context,
                "expect": one.expect,
                "tags": ["correction"],
                "source": told,
            }
        )
    except ValidationError as error:
        raise CaseInvalid("A case needs a question and what its answer is to say.") from error


async def _corrected(db: AsyncSession, person: Person, look_id: UUID) -> Looked:
    found = await service.shown(db, person, look_id)
    if not found.verdict or found.look.verdict != "corrected":
        raise NotCorrected
    return found


async def _deidentifier(db: AsyncSession, item: ReviewItem) -> Deidentifier:
    """Row security shows the names of this organisation's people."""
    rows = await db.execute(select(User.id, User.display_name).limit(MOST_NAMES))
    names = {row.id: row.display_name for row in rows}
    return Deidentifier(list(names.values()), names.get(item.user_id, ""))
