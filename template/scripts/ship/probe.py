"""What a stranger sees of the running app, held to a baseline: `make probe URL=https://…`

The small half of a dynamic test, fit for each release; `make contract` is the large one. It sends
nothing that changes anything, so that it may be run against production.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from client import Answer, Client

STRANGER = "https://evil.example"
# Nothing of this may ever be found.
PRIVATE = ("/.env", "/.git/config", "/app.env", "/pyproject.toml", "/docs", "/redoc", "/metrics",
           "/dev/inbox", "/static/../pyproject.toml", "/static/%2e%2e/%2e%2e/pyproject.toml",
           "/%2e%2e/%2e%2e/etc/passwd", "/server-status", "/debug")  # fmt: skip
INTERNALS = ("Traceback", 'File "', "sqlalchemy", "psycopg", "site-packages", "root:x:0")


def main(url: str) -> None:
    found = sorted(set(problems(Client(url))))
    print("\n".join(found) or f"{url} keeps to the baseline.")
    sys.exit(bool(found))


def problems(client: Client) -> Iterator[str]:
    first = client.get("/health/live")
    if not first.status:
        yield f"nobody answers: {first.told}"
        return
    for path in ("/", "/sign-in", "/api/openapi.json", "/nothing-here"):
        answer = client.get(path)
        yield from (f"{path}: {one}" for one in _headers(answer, client.secure))
        yield from (f"{path}: {one}" for one in _cookies(answer, client.secure))
    yield from _private(client)
    yield from _strangers(client)
    yield from _odd(client)


def _headers(answer: Answer, secure: bool) -> Iterator[str]:
    if answer.header("x-content-type-options") != "nosniff":
        yield "no X-Content-Type-Options: nosniff"
    if not answer.header("referrer-policy"):
        yield "no Referrer-Policy"
    if secure and "max-age=" not in answer.header("strict-transport-security"):
        yield "no Strict-Transport-Security"
    for name in ("x-powered-by", "x-aspnet-version"):
        if answer.header(name):
            yield f"{name} says what it runs on"
    if any(one in answer.header("server").lower() for one in ("uvicorn", "python", "/")):
        yield "Server says what it runs on"
    if answer.header("content-type").startswith("text/html"):
        policy = answer.header("content-security-policy")
        if "default-src" not in policy or "'unsafe-inline'" in policy or "'unsafe-eval'" in policy:
            yield "no strict Content-Security-Policy"
        if "frame-ancestors" not in policy and not answer.header("x-frame-options"):
            yield "others may frame it"


def _cookies(answer: Answer, secure: bool) -> Iterator[str]:
    for name, value in answer.headers:
        if name.lower() != "set-cookie":
            continue
        told, flags = value.partition("=")[0], value.lower()
        wanted = ["httponly", "samesite", *(["secure"] if secure else [])]
        yield from (f"cookie {told} is not {flag}" for flag in wanted if flag not in flags)


def _private(client: Client) -> Iterator[str]:
    for path in PRIVATE:
        answer = client.get(path)
        if answer.status == 200:
            yield f"{path} can be read"
        if any(word in answer.body for word in INTERNALS):
            yield f"{path} tells of the inside"


def _strangers(client: Client) -> Iterator[str]:
    answer = client.get("/api/openapi.json", Origin=STRANGER)
    allowed = answer.header("access-control-allow-origin")
    if allowed in (STRANGER, "*"):
        yield f"{allowed} may read answers"
    answer = client.get("/sign-in", Host="evil.example", X_Forwarded_Host="evil.example")
    if "evil.example" in answer.body or "evil.example" in answer.header("location"):
        yield "links follow the Host header of a request"
    for path in ("//evil.example/", "/sign-in?next=https://evil.example/", "/%5cevil.example"):
        if client.get(path).header("location").lstrip("/\\").startswith(("evil", STRANGER)):
            yield f"{path} leads away"


def _odd(client: Client) -> Iterator[str]:
    for method in ("TRACE", "CONNECT", "DEBUG"):
        if client.get("/", method=method).status in range(200, 300):
            yield f"{method} is answered"
    for path in ("/api/me?x=%00", "/?q=%ff%fe", "/" + "a" * 5000, "/api/users/'%20OR%201=1"):
        answer = client.get(path)
        if answer.status >= 500:
            yield f"{path[:30]} gives {answer.status}"
        if any(word in answer.body for word in INTERNALS):
            yield f"{path[:30]} tells of the inside"
    answer = client.get("/?q=%3Cscript%3Ealert(8)%3C/script%3E")
    if "<script>alert(8)" in answer.body:
        yield "a parameter becomes part of the page"


if __name__ == "__main__":
    main(sys.argv[1])
