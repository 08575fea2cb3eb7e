"""What /api/openapi.json says of a route beside its shapes: who may call it, and how it refuses."""

from typing import Any

from fastapi import FastAPI

from app.access.access import Access, markers, routes
from app.access.forgery import SAFE, SESSION_COOKIE
from app.core.problems import PROBLEM, SCHEMA
from app.modules import parts

SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": SESSION_COOKIE,
    "description": "A browser's session. Changes need the header X-CSRF-Token beside it.",
}


EVENT = {
    "type": "object",
    "description": "One server-sent event; `data` is JSON.",
    "required": ["event", "data"],
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, each operation with the permissions it asks for."""
    described = app.openapi()
    if "securitySchemes" in described.setdefault("components", {}):
        return described  # FastAPI keeps the document
    bearers = {part.__name__.split(".")[1]: part for part in parts("bearer")}
    described["components"]["securitySchemes"] = {"session": SESSION} | {
        name: {"type": "http", "scheme": "bearer", "description": _first_line(part)}
        for name, part in bearers.items()
    }
    described["components"].setdefault("schemas", {})["Problem"] = SCHEMA
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _refusals(path, method.upper(), operation)
    for route in routes(app):
        asks = [one for one in markers(route) if isinstance(one, Access)]
        operations = described["paths"].get(route.path, {})
        for method in route.methods or ():
            if asks and (operation := operations.get(method.lower())):
                permissions = sorted({one.permission for one in asks})
                ways = ["session", *(n for n, part in bearers.items() if _opens(part, asks))]
                operation["security"] = [{way: permissions} for way in ways]
                operation["responses"] |= {"400": PROBLEM, "401": PROBLEM, "403": PROBLEM}
    for unused in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(unused, None)
    return described


def _refusals(path: str, method: str, operation: dict[str, Any]) -> None:
    """What any route of this kind may answer. What only one route does, it says by `may(...)`."""
    told = operation["responses"]
    if stream := told.get("200", {}).get("content", {}).get("text/event-stream"):
        stream["schema"] = EVENT
    if path.startswith("/health/"):
        return
    told |= {"429": PROBLEM, "503": PROBLEM}
    if "422" in told:
        told |= {"400": PROBLEM, "422": PROBLEM}
    if method not in SAFE:
        told |= {"400": PROBLEM, "403": PROBLEM, "413": PROBLEM, "422": PROBLEM}
    if "{" in path:
        told["404"] = PROBLEM


def _opens(bearer: Any, asks: list[Access]) -> bool:
    return not bearer.BY_KEY or all(one.opens_to_keys for one in asks)


def _first_line(part: Any) -> str:
    return str(part.__doc__).strip().splitlines()[0]
