from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.access.access import SignInFirst, public
from app.auth import cookies
from app.core.db import Database
from app.core.errors import NotFound
from app.core.problems import may
from app.impersonation import service
from app.impersonation.dependencies import ENDS, Impersonator, StartLimit, own_token
from app.impersonation.returning import go_back
from app.impersonation.schemas import Ended, Start, Started

router = APIRouter(prefix="/api", tags=["impersonation"])


@router.post(
    "/users/{user_id}/impersonation",
    status_code=201,
    responses=may(NotFound, service.AlreadyImpersonating, service.OwnSessionEnded),
)
async def start(
    user_id: UUID,
    wanted: Start,
    request: Request,
    response: Response,
    db: Database,
    person: Impersonator,
    _: StartLimit,
) -> Started:
    """Work as a member for a while: this browser has their session until it ends."""
    own = own_token(request)
    begun = await service.start(db, person, user_id, wanted.reason, wanted.minutes)
    return Started(
        user_id=user_id,
        ends_at=begun.ends_at,
        csrf_token=cookies.step_aside(response, begun.token, own),
    )


@router.delete("/impersonation", dependencies=[public(), ENDS], responses=may(SignInFirst))
async def end(request: Request, response: Response) -> Ended:
    """Go back to one's own session, whether the other one still lives or not."""
    return Ended(csrf_token=cookies.step_back(response, await go_back(request)))
