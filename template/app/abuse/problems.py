"""What people and programs are told when something is done about them."""

from datetime import timedelta

from app.core.errors import Forbidden, TooMany, Unavailable
from app.limits.service import said


class NetworkSuspended(TooMany):
    def __init__(self, left: timedelta) -> None:
        super().__init__("", retry_after=left.total_seconds())
        self.detail = (
            "Too many attempts came from your network, so nobody can sign in from there for"
            f" {said(self.retry_after)}. A browser that you signed in with before still works, and"
            " so does another network."
        )


class NetworkSlowed(TooMany):
    def __init__(self, retry_after: float) -> None:
        super().__init__("", retry_after=retry_after)
        self.detail = (
            "Many attempts from your network failed, so the next ones have to wait."
            f" Try again in {said(self.retry_after)}. A browser that you signed in with before does"
            " not wait."
        )


class ChallengeRequired(Forbidden):
    """`challenge` says which widget answers it, and where the answer goes."""


class ChallengeFailed(Forbidden):
    pass


class ChallengeUnavailable(Unavailable):
    def __init__(self) -> None:
        super().__init__(
            "What tells people from programs cannot be reached, and without it nobody can go on"
            " from here. Try again in a minute, or from a browser that you signed in with before.",
            retry_after=60,
        )


class SuspendedForNow(Forbidden):
    """The person or the key: told until when, and what to do."""


class SlowedDown(TooMany):
    def __init__(self, retry_after: float, *, what: str) -> None:
        super().__init__("", retry_after=retry_after)
        self.detail = (
            f"{what} far more than people do, so it is slowed for a while."
            f" Try again in {said(self.retry_after)}; if you need more, ask an administrator."
        )
