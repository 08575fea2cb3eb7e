"""What /api/openapi.json says about who may call a route, and with which credential."""

from typing import Any

from fastapi import FastAPI

from app.access.access import Access, markers, routes
from app.access.forgery import SESSION_COOKIE
from app.modules import parts

SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": SESSION_COOKIE,
    "description": "A browser's session. Changes need the header X-CSRF-Token beside it.",
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
    for route in routes(app):
        asks = [one for one in markers(route) if isinstance(one, Access)]
        operations = described["paths"].get(route.path, {})
        for method in route.methods or ():
            if asks and (operation := operations.get(method.lower())):
                permissions = sorted({one.permission for one in asks})
                ways = ["session", *(n for n, part in bearers.items() if _opens(part, asks))]
                operation["security"] = [{way: permissions} for way in ways]
    return described


def _opens(bearer: Any, asks: list[Access]) -> bool:
    return not bearer.BY_KEY or all(one.opens_to_keys for one in asks)


def _first_line(part: Any) -> str:
    return str(part.__doc__).strip().splitlines()[0]
