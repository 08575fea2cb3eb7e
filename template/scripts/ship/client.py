"""A small HTTP client that follows nothing and raises nothing: what came is what is looked at."""

from __future__ import annotations

import http.client
import ssl
import sys
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    error: str = ""

    @property
    def told(self) -> str:
        return self.error or str(self.status)

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)


class Client:
    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)
        if self.url.scheme not in ("http", "https") or not self.url.hostname:
            sys.exit(f"{url} is no address: write all of it, such as https://app.example.com.")
        self.secure = self.url.scheme == "https"

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Header names are written with underscores."""
        host, port = self.url.hostname or "", self.url.port
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(
                host, port, timeout=20, context=ssl.create_default_context()
            )
            if self.secure
            else http.client.HTTPConnection(host, port, timeout=20)
        )
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=sent)
            answer = connection.getresponse()
            return Answer(
                answer.status, answer.getheaders(), answer.read(1_000_000).decode(errors="replace")
            )
        except (OSError, http.client.HTTPException) as error:
            return Answer(error=f"{type(error).__name__}: {error}")
        finally:
            connection.close()
