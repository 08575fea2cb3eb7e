from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.review.figures import Figures
from app.review.service import Looked

Reason = Literal["guard", "degraded", "asked", "low_confidence", "sampled"]
Show = Literal["open", "mine", "overdue", "done"]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8000)]


class Wanted(BaseModel):
    reason: Reason | None = None


class Verdict(BaseModel):
    verdict: Literal["approved", "corrected", "rejected"]
    correction: Text = ""
    """What the answer should be, when it is corrected."""
    note: Note = ""
    """For whoever asked."""


class AskedFor(BaseModel):
    comment: Note = ""
    """What the person should look at."""


class AskedOut(BaseModel):
    call_id: UUID
    state: Literal["waiting"] = "waiting"


class Words(BaseModel):
    """What was said: for whoever has taken it, and for all when it is done."""

    question: str
    answer: str
    sources: list[dict[str, Any]]
    guards: dict[str, Any]
    comment: str


class Decided(BaseModel):
    verdict: str
    correction: str
    note: str
    done_at: datetime | None


class ReviewOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    call_id: UUID
    look: int
    """1, 2 for a second opinion, 3 when the two differ."""
    reason: str
    feature: str
    model: str
    prompt: str
    prompt_version: int | None
    confidence: int | None
    signals: list[str]
    withheld: bool
    priority: int
    state: str
    created_at: datetime
    due_at: datetime
    claimed_by: UUID | None
    claimed_until: datetime | None
    words: Words | None
    decided: Decided | None

    @classmethod
    def of(cls, found: Looked) -> "ReviewOut":
        look, item = found.look, found.item
        return cls(
            id=look.id,
            call_id=item.call_id,
            look=look.number,
            reason=item.reason,
            feature=item.feature,
            model=item.model,
            prompt=item.prompt,
            prompt_version=item.prompt_version,
            confidence=item.confidence,
            signals=item.signals,
            withheld=item.withheld,
            priority=look.priority,
            state=look.state,
            created_at=look.created_at,
            due_at=look.due_at,
            claimed_by=look.claimed_by,
            claimed_until=look.claimed_until,
            words=_words(found) if found.words else None,
            decided=Decided(
                verdict=look.verdict,
                correction=look.correction,
                note=look.note,
                done_at=look.done_at,
            )
            if found.verdict
            else None,
        )


def _words(found: Looked) -> Words:
    item = found.item
    return Words(
        question=item.question,
        answer=item.answer,
        sources=item.sources,
        guards=item.guards,
        comment=item.comment,
    )


class ReviewPage(BaseModel):
    reviews: list[ReviewOut]
    next: UUID | None
    """`before` of the next page."""


class IntervalOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    value: float
    low: float
    high: float


class AgreementOut(BaseModel):
    """Of first and second looks in the last 90 days."""

    model_config = ConfigDict(from_attributes=True)

    pairs: int
    same: int
    share: IntervalOut
    kappa: IntervalOut | None
    """Cohen's; None when chance alone would always agree."""
    too_few: bool


class BandOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    low: int
    high: int
    looked_at: int
    approved: IntervalOut


class FeatureOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    feature: str
    share: float
    answers: int
    drawn: int
    queued: int
    unexplained: int


class FiguresOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    open: int
    overdue: int
    ages: list[tuple[str, int]]
    done: int
    in_time: IntervalOut
    """The share of finished looks that was there before its deadline."""
    median_hours: float | None
    """From the question to the verdict."""
    agreement: AgreementOut
    bands: list[BandOut]
    """How often people approved sampled answers of each confidence."""
    sample: list[FeatureOut]

    @classmethod
    def of(cls, found: Figures) -> "FiguresOut":
        return cls.model_validate(found)


Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]


class CaseIn(BaseModel):
    question: Filled
    check: Literal["rubric", "contains", "equals", "similar"] = "rubric"
    text: Filled
    """What the answer is to say."""
    context: Annotated[list[Text], Field(max_length=20)] = []
    """Passages of documents that come along."""


class ProposedOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    look_id: UUID
    question: str
    check: str
    text: str
    context: list[str]
    removed: list[str]
    """Kinds of data that were taken out. Names of places and of other people were not."""


class CaseOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    prompt: str
    question: str
    context: list[str]
    expect: dict[str, Any]
    origin: dict[str, Any]


class CasesPage(BaseModel):
    cases: list[CaseOut]
    next: UUID | None = Field(description="Pass it as `before` for the page of older ones.")
