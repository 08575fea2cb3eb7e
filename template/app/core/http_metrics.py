"""What is counted of each request. Routes by their template: a path may hold ids and tokens."""

from starlette.types import Scope

from app.core import service_levels
from app.core.metrics import Counter, Gauge, Histogram
from app.core.service_levels import ServiceLevels

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Load balancers ask all the time; what they hear says nothing about people.
NOT_PEOPLE = "/health/"

REQUESTS = Counter("app_http_requests_total", "Requests that ended.", "method", "route", "status")
BEGUN = Histogram(
    "app_http_seconds",
    "Seconds until an answer began; `stream` waits for the first word of a model.",
    "route",
    "kind",
)

_under_way = 0


def _read() -> float:
    return _under_way


Gauge("app_http_under_way", "Requests that are being answered, streams included.", read=_read)


def began() -> None:
    global _under_way
    _under_way += 1


def ended(scope: Scope, status: int, seconds: float) -> None:
    """`seconds` until the answer began."""
    global _under_way
    _under_way -= 1
    route = getattr(scope.get("route"), "path", "-")
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.add(method, route, str(status))
    streams = "streams" in scope["state"]
    BEGUN.see(seconds, route, "stream" if streams else "plain")
    if route.startswith(NOT_PEOPLE):
        return
    service_levels.count("availability", good=status < 500)
    if not streams and status < 500:
        allowed = ServiceLevels.load().latency_seconds
        service_levels.count("latency", good=seconds <= allowed)
