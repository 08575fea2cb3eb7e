"""Gemini at Google Vertex AI, with the credentials of a service account or of the machine.

Google's own library finds the credentials and renews their tokens; it is asked in a thread, and
only when a token has run out.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from app.llm.access import Access
from app.llm.errors import KeyRefused, ModelMisconfigured, ModelUnreachable
from app.llm.port import Provider
from app.llm.providers.gemini_wire import GeminiWire

NEEDS = ("project",)
MODEL = "gemini-3.8-flash"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOCATIONS = {"anywhere": "global", "eu": "eu", "us": "us"}
# London and Zurich are in Europe and not in the EU.
OUTSIDE_THE_EU = {"europe-west2", "europe-west6"}


def create(access: Access) -> Provider:
    place, base = location(access), address(access).rstrip("/")
    return Vertex(
        name="vertex",
        base_url=f"{base}/projects/{access.project}/locations/{place}/publishers/google",
        model=access.model or MODEL,
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
        key_setting="the service account's right to use Vertex AI",
    )


def location(access: Access) -> str:
    return access.location or LOCATIONS[access.data_region]


def address(access: Access) -> str:
    if access.base_url:
        return access.base_url
    place = location(access)
    if place == "global":
        return "https://aiplatform.googleapis.com/v1"
    if place in {"eu", "us"}:
        return f"https://aiplatform.{place}.rep.googleapis.com/v1"
    return f"https://{place}-aiplatform.googleapis.com/v1"


def problems(access: Access) -> list[str]:
    place, wanted = location(access), access.data_region
    inside = {
        "anywhere": True,
        "eu": place == "eu" or (place.startswith("europe-") and place not in OUTSIDE_THE_EU),
        "us": place == "us" or place.startswith("us-"),
    }
    if inside[wanted]:
        return []
    return [f"{access.prefix}LOCATION={place} is not in {wanted.upper()}, where data must stay."]


class Vertex(GeminiWire):
    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._credentials: Any = None
        self._renewing = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        if self._credentials is None or not self._credentials.valid:
            async with self._renewing:
                if self._credentials is None or not self._credentials.valid:
                    self._credentials = await asyncio.to_thread(self._renewed, self._credentials)
        return self._headers | {"Authorization": f"Bearer {self._credentials.token}"}

    def _renewed(self, credentials: Any) -> Any:
        import google.auth
        from google.auth import exceptions
        from google.auth.transport.requests import Request

        try:
            if credentials is None:
                credentials, _ = google.auth.default(scopes=[SCOPE])
            renew: Callable[[Any], None] = credentials.refresh
            renew(Request())
        except exceptions.DefaultCredentialsError as error:
            raise ModelMisconfigured(
                "There are no credentials for Google Cloud. docs/model-calls.md says where they"
                " are looked for."
            ) from error
        except exceptions.TransportError as error:
            raise ModelUnreachable("Google gives out no token; it cannot be reached.") from error
        except exceptions.GoogleAuthError as error:
            raise KeyRefused(
                "Google refused the credentials. Check the service account."
            ) from error
        return credentials
