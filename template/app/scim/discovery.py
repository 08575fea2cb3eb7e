"""What this server can do, as directories ask for it."""

from typing import Any

from app.core.errors import NotFound
from app.core.settings import get_settings
from app.scim.attributes import GROUP, SCHEMAS, USER

CORE = "urn:ietf:params:scim:schemas:core:2.0"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
MOST = 200


def address(path: str) -> str:
    return f"{get_settings().public_url}/scim/v2{path}"


def listing(resources: list[dict[str, Any]], total: int, start: int = 1) -> dict[str, Any]:
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def service_provider_config() -> dict[str, Any]:
    return {
        "schemas": [f"{CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The token that an administrator of the organisation made.",
                "primary": True,
            }
        ],
        "meta": _meta("ServiceProviderConfig", "/ServiceProviderConfig"),
    }


def resource_types() -> list[dict[str, Any]]:
    return [
        {
            "schemas": [f"{CORE}:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "schema": schema,
            "meta": _meta("ResourceType", f"/ResourceTypes/{name}"),
        }
        for name, schema in (("User", USER), ("Group", GROUP))
    ]


def schemas() -> list[dict[str, Any]]:
    return [
        {
            "schemas": [f"{CORE}:Schema"],
            **document,
            "meta": _meta("Schema", f"/Schemas/{name}"),
        }
        for name, document in SCHEMAS.items()
    ]


def one(documents: list[dict[str, Any]], identifier: str) -> dict[str, Any]:
    for document in documents:
        if document["id"] == identifier:
            return document
    raise NotFound("No such description.")


def _meta(kind: str, path: str) -> dict[str, str]:
    return {"resourceType": kind, "location": address(path)}
