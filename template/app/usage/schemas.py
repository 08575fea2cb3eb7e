"""Shapes of the JSON API. Money is in millionths of a US dollar."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.usage.settings import LARGEST

# One line: it becomes a cell of a file.
CostCenter = Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]


class LineOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    calls: int
    input_tokens: int
    output_tokens: int
    microdollars: int


class FeatureOut(LineOut):
    feature: str
    model: str


class PromptOut(LineOut):
    prompt: str
    prompt_version: int | None


class CostCenterOut(LineOut):
    cost_center: str
    """Empty for calls of people without one."""


class LatencyOut(BaseModel):
    """Milliseconds: until the first word, and until the whole answer was there."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    model: str
    calls: int
    first_p50: float | None
    first_p95: float | None
    p50: float
    p95: float
    p99: float


class PriceOut(BaseModel):
    """For a million tokens."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    model: str
    since: date | None
    """The first day, in UTC, on which it holds; None: since ever."""
    input: int
    cached_input: int
    output: int
    long_from: int | None
    """With more input tokens than this the long prices hold."""
    long_input: int
    long_cached_input: int
    long_output: int
    known: bool
    """When not, it is the dearest there is."""
    as_of: date | None
    source: str
    """Where it was read on that day."""


class AnomalyOut(BaseModel):
    """Hours that cost far more than such hours do."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["organization", "feature", "model", "person"]
    name: str
    """Of the feature or the model."""
    user_id: UUID | None
    display_name: str
    started_at: datetime
    last_at: datetime
    unit: Literal["microdollars", "tokens"]
    seen: int
    """In the dearest of these hours."""
    usual: int


class PersonOut(LineOut):
    user_id: UUID | None
    """None for the app itself, such as its evaluations, and for people who are gone."""
    display_name: str
    feature: str


class AllowanceOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    holder: str
    period: str
    unit: str
    used: int
    limit: int | None
    ends_at: datetime


class OwnUsage(BaseModel):
    since: datetime
    until: datetime
    allowances: list[AllowanceOut]
    features: list[FeatureOut]


class OrganizationUsage(BaseModel):
    since: datetime
    until: datetime
    people: list[PersonOut]
    features: list[FeatureOut]
    cost_centers: list[CostCenterOut]


class Amounts(BaseModel):
    """0 stops every call."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    calls_per_hour: int | None = Field(None, ge=0, le=LARGEST)
    calls_per_day: int | None = Field(None, ge=0, le=LARGEST)
    tokens_per_hour: int | None = Field(None, ge=0, le=LARGEST)
    tokens_per_day: int | None = Field(None, ge=0, le=LARGEST)
    microdollars_per_month: int | None = Field(None, ge=0, le=LARGEST)


class Limits(Amounts):
    """None stands for what the settings say, of an organisation for its ceiling; 0 stops every
    call."""

    user_id: UUID | None = None
    """Whose budgets; None for the whole organisation's."""
    cost_center: CostCenter | None = None
    """Who is charged for the calls from now on. Left out, it stays; an empty one is none."""


class BudgetsOut(BaseModel):
    """None of `own`: nothing was set there; None of the others: no limit."""

    model_config = ConfigDict(from_attributes=True)

    own: Amounts
    """What administrators set."""
    cost_center: str | None
    ceilings: Amounts
    """What the organisation may use at most, all of its people together."""
    limits: Amounts
    """What binds: the lower of both, or what the settings say."""


class CeilingsIn(Amounts):
    """All of them at once: one that is None or left out is again what the settings say."""

    seen: str | None = Field(None, max_length=40)
    """As it was read, to be refused when somebody set other ceilings since."""


class BoundedOut(BaseModel):
    """An organisation with what bounds it. None of `given` and `own`: nothing was set there; None
    of `ceilings` and `limits`: no limit."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    slug: str
    spent: int
    """This month."""
    held: int
    """Reserved for calls that are under way."""
    given: Amounts
    """Ceilings of its own."""
    ceilings: Amounts
    """What it may use at most, by these and the settings."""
    own: Amounts
    """What its administrators set."""
    limits: Amounts
    """What binds of all that."""
    seen: str


class BoundedPage(BaseModel):
    organizations: list[BoundedOut]
    next: UUID | None = Field(description="Give it as `before` to get the next page.")
