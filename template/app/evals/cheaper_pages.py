"""The report of cheaper models that would pass."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from app.access.person import Person
from app.core.db import Database
from app.evals import cheaper
from app.evals.settings import EvalsSettings
from app.prompts import service as prompts
from app.usage.prices import MILLION
from app.users.operators import operators
from app.web import flash, render
from app.web.forms import blank, read

PAGE = "/admin/evaluations/models"
NAME = r"^[a-z_.0-9]{1,80}$"


class Wanted(BaseModel):
    prompt: str = Field(max_length=80, pattern=NAME)


router = APIRouter(prefix="/admin/evaluations", include_in_schema=False)


@router.get("/models")
async def show_models(
    request: Request,
    db: Database,
    person: Annotated[Person, operators("evals.read")],
    prompt: Annotated[str, Query(pattern=NAME)] = "assistant.system",
) -> HTMLResponse:
    await prompts.prompt(db, prompt)
    found = await cheaper.lines(db, prompt)
    return render(
        request,
        "evals/models.html",
        person=person,
        prompt=prompt,
        lines=found,
        has_candidates=len(found) > 1,
        form=blank(prompt=prompt),
        most=EvalsSettings.load().dollars_per_report,
        dollars=lambda amount: Decimal(amount) / MILLION,
    )


@router.post("/models")
async def start_models(
    request: Request, db: Database, person: Annotated[Person, operators("evals.run")]
) -> Response:
    form = await read(request, Wanted)
    if form.data is None:
        return flash.redirect(PAGE, "Choose a prompt.", "warning")
    page = f"{PAGE}?prompt={form.data.prompt}"
    try:
        await cheaper.ask_for(db, person, form.data.prompt)
    except cheaper.NoCheaperModel as problem:
        return flash.redirect(page, problem.detail, "warning")
    return flash.redirect(page, "A worker asks every case of every model; come back later.")
