from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.core.db import Database
from app.organizations import listing
from app.organizations.dependencies import Operator
from app.organizations.schemas import ListedOrganization, OrganizationPage

router = APIRouter(prefix="/api/admin/organizations", tags=["organizations"])


@router.get("")
async def list_all_organizations(
    db: Database,
    person: Operator,
    search: Annotated[str, Query(max_length=100)] = "",
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OrganizationPage:
    """Every organisation of this installation, newest first; for those who run the app."""
    found = await listing.page(db, search=search, before=before, limit=limit)
    return OrganizationPage(
        organizations=[ListedOrganization.model_validate(one) for one in found.rows],
        next=found.before,
    )
