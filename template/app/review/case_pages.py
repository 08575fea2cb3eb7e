"""A correction as a case: read it, change it, save it, take all of them home."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.core.db import Database
from app.review import cases
from app.review.dependencies import Reviewer
from app.review.schemas import CaseIn
from app.web import flash, render
from app.web.forms import blank, read

PAGE = "/review"
TABS = [
    ("Waiting", PAGE),
    ("Yours", f"{PAGE}?show=mine"),
    ("Overdue", f"{PAGE}?show=overdue"),
    ("Done", f"{PAGE}?show=done"),
    ("Figures", f"{PAGE}/figures"),
    ("Cases", f"{PAGE}/cases"),
]
CASES = f"{PAGE}/cases"
CHECKS = [
    ("rubric", "Says the same, by a judge"),
    ("contains", "Holds these words"),
    ("equals", "Is exactly this"),
    ("similar", "Is near to it, by vectors"),
]

router = APIRouter(prefix=PAGE, include_in_schema=False)


class CaseForm(CaseIn):
    passages: str = ""
    """One below the other, with an empty line between."""


@router.get("/cases")
async def show_cases(
    request: Request, db: Database, person: Reviewer, before: UUID | None = None
) -> HTMLResponse:
    found, more = await cases.listed(db, before=before)
    return render(
        request,
        "review/cases.html",
        person=person,
        found=found,
        newest=CASES if before else None,
        more=f"{CASES}?before={more}" if more else None,
        prompts=await cases.prompts(db),
        tabs=TABS,
        checks=dict(CHECKS),
        expected=expected,
    )


def expected(expect: dict[str, object]) -> tuple[str, str]:
    """Which check it is, and its text."""
    [(check, text)] = expect.items()
    return check, str(text["to"] if isinstance(text, dict) else text)


@router.post("/cases/{case_id}/delete")
async def delete_case(case_id: UUID, db: Database, person: Reviewer) -> Response:
    await cases.remove(db, person, case_id)
    return flash.redirect(CASES, "The case is deleted.")


@router.get("/{look_id}/case")
async def show_proposed(
    request: Request, look_id: UUID, db: Database, person: Reviewer
) -> HTMLResponse:
    proposed = await cases.propose(db, person, look_id)
    form = blank(
        question=proposed.question,
        text=proposed.text,
        check=proposed.check,
        passages="\n\n".join(proposed.context),
    )
    return render(
        request,
        "review/case.html",
        person=person,
        look_id=look_id,
        form=form,
        checks=CHECKS,
        removed=[one.lower() for one in proposed.removed],
    )


@router.post("/{look_id}/case")
async def save_case(request: Request, look_id: UUID, db: Database, person: Reviewer) -> Response:
    form = await read(request, CaseForm)
    if form.data is None:
        return render(
            request,
            "review/case.html",
            person=person,
            look_id=look_id,
            form=form,
            checks=CHECKS,
            removed=[],
            status=422,
        )
    given = form.data
    await cases.save(
        db,
        person,
        look_id,
        question=given.question,
        text=given.text,
        check=given.check,
        context=given.passages.replace("\r\n", "\n").split("\n\n"),
    )
    return flash.redirect(CASES, "It is a case now.")
