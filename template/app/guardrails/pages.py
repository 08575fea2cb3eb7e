"""Where administrators make the guards of their organisation stricter."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.core.errors import Problem
from app.guardrails import service
from app.guardrails.schemas import Word
from app.guardrails.stricter import RANK, Choice
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import Link

PAGE = "/admin/guards"
NAVIGATION = [Link("Guards", PAGE, "guards.read", "Model", "shield", 77)]

DOES = {
    "allow": "the model is asked",
    "mask": "it is masked",
    "review": "a person looks first",
    "block": "it is refused",
}
NAMES = {
    "injection": "Questions with a hint of an attack",
    "links": "Answers with links to hosts that are not on the list",
    "pasted_secrets": "Questions with keys and tokens",
    "personal_data": "Questions with personal data",
    "personal_numbers": "Answers with card and account numbers",
    "profanity": "Swear words and slurs, in questions too",
    "review_words": "Words of the installation's list",
    "secrets": "Answers with keys and tokens",
}

router = APIRouter(prefix=PAGE, include_in_schema=False)


class Guards(BaseModel):
    version: int = Field(ge=0)
    injection: Choice | None = None
    links: Choice | None = None
    pasted_secrets: Choice | None = None
    personal_data: Choice | None = None
    personal_numbers: Choice | None = None
    profanity: Choice | None = None
    review_words: Choice | None = None
    secrets: Choice | None = None
    words: list[Word] = Field([], max_length=200)
    words_action: Choice = "block"


@router.get("")
async def show_guards(
    request: Request, db: Database, person: Annotated[Person, allow("guards.read")]
) -> HTMLResponse:
    return await _page(request, db, person)


@router.post("")
async def set_guards(
    request: Request, db: Database, person: Annotated[Person, allow("guards.set", recent=True)]
) -> Response:
    form = await read(request, Guards)
    if form.data is None:
        return await _page(request, db, person, form)
    wanted = form.data
    chosen = {name: getattr(wanted, name) for name in NAMES}
    try:
        await service.set_own(
            db,
            person,
            version=wanted.version,
            actions={name: one for name, one in chosen.items() if one},
            words=wanted.words,
            words_action=wanted.words_action,
        )
    except Problem as problem:
        return await _page(request, db, person, form, problem)
    return flash.redirect(PAGE, "The guards hold like this from now on.")


async def _page(
    request: Request,
    db: AsyncSession,
    person: Person,
    form: Form[Any] | None = None,
    problem: Problem | None = None,
) -> HTMLResponse:
    found = await service.own(db, person)
    if form is None:
        form = blank(words="\n".join(found.words), words_action=found.words_action, **found.actions)
    choices = {
        name: [
            ("", f"As usual: {DOES[usual]}"),
            *((one, DOES[one].capitalize()) for one in DOES if RANK[one] > max(1, RANK[usual])),
        ]
        for name, usual in found.installation.items()
    }
    return render_form(
        request,
        "guardrails/guards.html",
        form,
        problem,
        person=person,
        own=found,
        choices=choices,
        names=NAMES,
        words_choices=[(one, DOES[one].capitalize()) for one in ("block", "review")],
        path=PAGE,
    )
