"""A page with a form: new, or once more after it was refused."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.core.errors import Problem
from app.web.forms import WHOLE_FORM, Form
from app.web.render import render


def render_form(
    request: Request,
    name: str,
    form: Form[Any],
    problem: Problem | None = None,
    *,
    at: str = WHOLE_FORM,
    **context: Any,
) -> HTMLResponse:
    """Show what was typed, and what is wrong at its field; a problem without fields stands `at`."""
    errors = problem.extra.get("errors") if problem else None
    if problem is not None:
        for field, sentence in (
            errors if isinstance(errors, dict) else {at: problem.detail}
        ).items():
            form.refuse(sentence, field)
    status = problem.status if problem else 422 if form.errors else 200
    response = render(request, name, form=form, status=status, **context)
    if problem is not None:
        response.headers.update(problem.headers)
    return response
