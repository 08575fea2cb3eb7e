from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.access.person import Person
from app.core.db import Database
from app.core.errors import NotFound
from app.core.problems import may
from app.users import policies, roles, service
from app.users.dependencies import (
    InviteLimit,
    Looker,
    LookerDetached,
    Manager,
    Organizer,
    ProvenOrganizer,
    Reader,
    RoleManager,
    Self,
)
from app.users.models import Invitation, Organization, OrganizationPolicy
from app.users.schemas import (
    ImpersonatedBy,
    InvitationIn,
    InvitationOut,
    Me,
    OrganizationChange,
    OrganizationOut,
    Policy,
    ProfileChange,
    RoleChange,
    RoleIn,
    RoleOut,
    UserOut,
    UserPage,
)

router = APIRouter(prefix="/api", tags=["users"])


@router.get("/me")
async def read_myself(person: LookerDetached) -> Me:
    """Who is signed in here."""
    return _me(person)


@router.patch("/me")
async def change_myself(change: ProfileChange, db: Database, person: Self) -> Me:
    """Change one's own profile."""
    await service.rename(db, person, change.display_name)
    return _me(person, display_name=change.display_name)


def _me(person: Person, **changed: str) -> Me:
    return Me(
        user_id=person.user_id,
        organization_id=person.organization_id,
        email=person.email,
        display_name=changed.get("display_name", person.display_name),
        role=person.role,
        second_factor=person.second_factor,
        created_at=person.created_at,
        permissions=sorted(person.permissions),
        impersonated_by=person.impersonation
        and ImpersonatedBy.model_validate(person.impersonation),
    )


@router.get("/users")
async def list_users(
    db: Database,
    person: Reader,
    search: Annotated[str, Query(max_length=100)] = "",
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> UserPage:
    """The people of the organisation."""
    found = await service.members(db, search=search, after=after, limit=limit + 1)
    page = found[:limit]
    return UserPage(
        users=[UserOut.model_validate(one) for one in page],
        next=page[-1].id if len(found) > limit else None,
    )


@router.get("/users/{user_id}", response_model=UserOut)
async def read_user(user_id: UUID, db: Database, person: Reader) -> service.Member:
    return await service.member(db, user_id)


@router.put("/users/{user_id}/role", response_model=UserOut, responses=may(service.LastAdmin))
async def change_role(
    user_id: UUID, change: RoleChange, db: Database, person: Manager
) -> service.Member:
    """Give someone another role; their sessions end."""
    return await service.change_role(db, person, user_id, change.role)


@router.post("/users/{user_id}/suspend", response_model=UserOut, responses=may(service.LastAdmin))
async def suspend_user(user_id: UUID, db: Database, person: Manager) -> service.Member:
    """Keep someone out; their sessions end at once."""
    return await service.suspend(db, person, user_id)


@router.post("/users/{user_id}/reactivate", response_model=UserOut)
async def reactivate_user(user_id: UUID, db: Database, person: Manager) -> service.Member:
    """Let someone in again."""
    return await service.reactivate(db, person, user_id)


@router.delete("/users/{user_id}", status_code=204, responses=may(service.LastAdmin))
async def remove_user(user_id: UUID, db: Database, person: Manager) -> None:
    """Delete someone's account and all that belongs to it."""
    await service.remove(db, person, user_id)


@router.get("/invitations", response_model=list[InvitationOut])
async def list_invitations(db: Database, person: Reader) -> Sequence[Invitation]:
    """Invitations that are still open."""
    return await service.open_invitations(db)


@router.post(
    "/invitations",
    status_code=201,
    response_model=InvitationOut,
    responses=may(service.AlreadyMember, NotFound),
)
async def send_invitation(
    invitation: InvitationIn,
    db: Database,
    person: Manager,
    _: InviteLimit,
) -> Invitation:
    """Invite someone by mail."""
    return await service.invite(db, person, invitation.email, invitation.role)


@router.delete("/invitations/{invitation_id}", status_code=204)
async def revoke_invitation(invitation_id: UUID, db: Database, person: Manager) -> None:
    """Withdraw an invitation."""
    await service.revoke_invitation(db, person, invitation_id)


@router.get("/organization", response_model=OrganizationOut)
async def read_organization(db: Database, person: Looker) -> Organization:
    """The organisation that this session belongs to."""
    return await service.organization(db, person)


@router.patch("/organization", response_model=OrganizationOut)
async def rename_organization(
    change: OrganizationChange, db: Database, person: Organizer
) -> Organization:
    """Give the organisation another name."""
    return await service.rename_organization(db, person, change.name)


@router.get("/organization/policy", response_model=Policy)
async def read_policy(db: Database, person: Organizer) -> OrganizationPolicy:
    """What the organisation asks of its members beyond the settings."""
    return await policies.read(db)


@router.put("/organization/policy", response_model=Policy, responses=may(policies.LocksYouOut))
async def change_policy(
    wanted: Policy, db: Database, person: ProvenOrganizer
) -> OrganizationPolicy:
    """Set it anew; sessions that break it end at once."""
    await policies.change(db, person, OrganizationPolicy(**wanted.model_dump()))
    return await policies.read(db)


@router.get("/roles", response_model=list[RoleOut])
async def list_roles(db: Database, person: Reader) -> list[roles.RoleInfo]:
    """Built-in roles, then those that the organisation made for itself."""
    return await roles.everything(db)


@router.post("/roles", status_code=201, response_model=RoleOut, responses=may(roles.RoleNameTaken))
async def create_role(role: RoleIn, db: Database, person: RoleManager) -> roles.RoleInfo:
    """Make a role; it cannot hold more than whoever makes it."""
    return await roles.create(db, person, role.name, role.description, role.permissions)


@router.put("/roles/{role_id}", response_model=RoleOut, responses=may(roles.RoleNameTaken))
async def rewrite_role(
    role_id: UUID, role: RoleIn, db: Database, person: RoleManager
) -> roles.RoleInfo:
    """Change a role; it counts at once for everyone who has it."""
    return await roles.change(db, person, role_id, role.name, role.description, role.permissions)


@router.delete("/roles/{role_id}", status_code=204, responses=may(roles.RoleInUse))
async def delete_role(role_id: UUID, db: Database, person: RoleManager) -> None:
    """Delete a role that nobody has."""
    await roles.delete(db, person, role_id)
