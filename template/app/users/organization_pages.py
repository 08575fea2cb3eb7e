"""The organisation's name, and what it asks of its members."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field, field_validator
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.settings import AccessSettings
from app.core.db import Database
from app.core.errors import Problem
from app.users import policies, service
from app.users.dependencies import Organizer, ProvenOrganizer
from app.users.models import OrganizationPolicy
from app.users.schemas import OrganizationChange, mail_domain
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/admin/organization"
WHO = [
    ("optional", "Nobody must", "Everyone can set one up."),
    ("admins", "Administrators", "They can do the most harm."),
    ("everyone", "Everyone", "Who has none sets one up before anything else opens."),
]

router = APIRouter(include_in_schema=False)


class PolicyForm(BaseModel):
    """The policy as a form sends it."""

    second_factor: Literal["optional", "admins", "everyone"]
    sign_in_methods: list[str]
    second_factors: list[str]
    idle_minutes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    absolute_hours: Annotated[int, Field(ge=1, le=100_000)] | None = None
    mail_domains: Annotated[str, Field(max_length=5000)] = ""
    impersonation: bool = False

    @field_validator("mail_domains")
    @classmethod
    def _are_domains(cls, text: str) -> str:
        try:
            return ", ".join(mail_domain(one) for one in _words(text))
        except ValueError as error:
            raise ValueError("Write domains like example.com, separated by commas.") from error

    def wanted(self) -> OrganizationPolicy:
        """With every box ticked, or no choice to make, what comes later counts, too."""
        methods, factors = policies.sign_in_methods(), policies.second_factors()
        some_methods = len(methods) > 1 and set(self.sign_in_methods) != set(methods)
        some_factors = len(factors) > 1 and set(self.second_factors) != set(factors)
        return OrganizationPolicy(
            second_factor=self.second_factor,
            sign_in_methods=self.sign_in_methods if some_methods else None,
            second_factors=self.second_factors if some_factors else None,
            idle_minutes=self.idle_minutes,
            absolute_hours=self.absolute_hours,
            mail_domains=_words(self.mail_domains),
            impersonation=self.impersonation,
        )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


@router.get(PAGE)
async def show_organization(request: Request, db: Database, person: Organizer) -> HTMLResponse:
    return await _organization(request, db, person)


@router.post(PAGE)
async def rename(request: Request, db: Database, person: Organizer) -> Response:
    form = await read(request, OrganizationChange)
    if form.data is None:
        return await _organization(request, db, person, naming=form)
    await service.rename_organization(db, person, form.data.name)
    return flash.redirect(PAGE, "The name is changed.")


@router.post(PAGE + "/policy")
async def change_policy(request: Request, db: Database, person: ProvenOrganizer) -> Response:
    form = await read(request, PolicyForm)
    if form.data is None:
        return await _organization(request, db, person, form=form)
    try:
        async with db.begin_nested():
            ended = await policies.change(db, person, form.data.wanted())
    except Problem as problem:
        return await _organization(request, db, person, form=form, problem=problem)
    told = {0: "", 1: " One session that broke it has ended."}
    more = told.get(ended, f" {ended} sessions that broke it have ended.")
    return flash.redirect(PAGE, "The policy holds from now on." + more)


async def _organization(
    request: Request,
    db: AsyncSession,
    person: Person,
    *,
    naming: Form[Any] | None = None,
    form: Form[Any] | None = None,
    problem: Problem | None = None,
) -> HTMLResponse:
    organization, policy = await service.organization(db, person), await policies.read(db)
    settings = AccessSettings.load()
    methods, factors = policies.sign_in_methods(), policies.second_factors()
    stricter = policies.STRICTNESS[policies.STRICTNESS.index(settings.second_factor) :]
    saved = blank(
        second_factor=policy.second_factor if policy.second_factor in stricter else stricter[0],
        sign_in_methods=list(methods) if policy.sign_in_methods is None else policy.sign_in_methods,
        second_factors=list(factors) if policy.second_factors is None else policy.second_factors,
        idle_minutes=policy.idle_minutes or "",
        absolute_hours=policy.absolute_hours or "",
        mail_domains=", ".join(policy.mail_domains or ()),
        impersonation=policy.impersonation,
    )
    page = render_form(
        request,
        "users/organization.html",
        form or saved,
        problem,
        person=person,
        organization=organization,
        naming=naming or blank(name=organization.name),
        who=[choice for choice in WHO if choice[0] in stricter],
        methods=list(methods.items()),
        factors=list(factors.items()),
        settings=settings,
    )
    if naming is not None:
        page.status_code = 422
    return page
