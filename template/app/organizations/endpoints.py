from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Response

from app.auth import cookies
from app.core.db import Database
from app.core.problems import may
from app.organizations import joining, listing_endpoints, ownership, service
from app.organizations.dependencies import AnswerLimit, CreateLimit, Founder, Owner, Self
from app.organizations.schemas import (
    Deletion,
    Entered,
    Joined,
    Left,
    MyInvitation,
    MyOrganization,
    NewOrganization,
    NewOwner,
)
from app.users.service import AlreadyMember, InvitationExpired

router = APIRouter(prefix="/api/organizations", tags=["organizations"])
router.routes.extend(listing_endpoints.router.routes)


def _entered(response: Response, entry: service.Entry) -> Entered:
    csrf = cookies.remember(response, entry.token)
    return Entered(organization_id=entry.organization_id, csrf_token=csrf)


def _left(response: Response, entry: service.Entry | None) -> Left:
    if entry is None:
        cookies.forget(response)
        return Left(organization_id=None, csrf_token=None)
    return Left(**_entered(response, entry).model_dump())


@router.get("", response_model=list[MyOrganization])
async def list_organizations(db: Database, person: Self) -> Sequence[service.Mine]:
    """Where one belongs."""
    return await service.mine(db, person)


@router.post("", status_code=201, responses=may(service.TooManyOrganizations))
async def create_organization(
    wanted: NewOrganization, response: Response, db: Database, person: Founder, _: CreateLimit
) -> Entered:
    """Make an organisation; the session goes there."""
    return _entered(response, await service.create(db, person, wanted.name, wanted.slug))


@router.get("/invitations", response_model=list[MyInvitation])
async def list_my_invitations(db: Database, person: Self) -> Sequence[joining.Invited]:
    """Open invitations to one's own address."""
    return await joining.open_for(db, person)


@router.post("/invitations/{invitation_id}/accept", responses=may(InvitationExpired, AlreadyMember))
async def accept_invitation(
    invitation_id: UUID, db: Database, person: Self, _: AnswerLimit
) -> Joined:
    """Become a member; the session stays where it is until it is switched."""
    return Joined(organization_id=await joining.accept(db, person, invitation_id))


@router.post(
    "/invitations/{invitation_id}/decline", status_code=204, responses=may(InvitationExpired)
)
async def decline_invitation(
    invitation_id: UUID, db: Database, person: Self, _: AnswerLimit
) -> None:
    """Refuse an invitation for good."""
    await joining.decline(db, person, invitation_id)


@router.post("/current/leave", responses=may(service.OnlyOrganization))
async def leave_organization(response: Response, db: Database, person: Self) -> Left:
    """Leave the current organisation; the session goes on in another that lets it in."""
    return _left(response, await service.leave(db, person))


@router.put("/current/owner", status_code=204, responses=may(ownership.CannotOwn))
async def transfer_ownership(wanted: NewOwner, db: Database, person: Owner) -> None:
    """Make another member the owner of the current organisation."""
    await ownership.transfer(db, person, wanted.user_id)


@router.post("/current/delete")
async def delete_organization(
    wanted: Deletion, response: Response, db: Database, person: Owner
) -> Left:
    """Delete the current organisation and all that it holds; type its name to be sure."""
    return _left(response, await ownership.remove(db, person, wanted.name))


@router.post("/{organization_id}/switch")
async def switch_organization(
    organization_id: UUID, response: Response, db: Database, person: Self
) -> Entered:
    """Let this session work for another of one's organisations; it gets a new token."""
    return _entered(response, await service.switch(db, person, organization_id))
