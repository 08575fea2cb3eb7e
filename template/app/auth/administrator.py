"""The first administrator: made on the server, because nobody is there yet to invite."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.access.roles import Role
from app.audit import service as audit
from app.auth import passwords
from app.auth.models import Password
from app.auth.settings import SignUpSettings
from app.core.clock import now
from app.core.db import transaction
from app.core.errors import Invalid
from app.users import service as users
from app.users.schemas import DisplayName, Email


async def exists(email: str) -> bool:
    async with transaction(elevated=True) as db:
        return await users.by_email(db, email) is not None


async def promote(email: str) -> None:
    """Make someone who has an account an administrator."""
    async with transaction(elevated=True) as db:
        organization = await users.the_organization(db)
        user = await users.by_email(db, email)
        if user is None:
            raise LookupError(email)
        await users.make_admin(db, user.id, organization.id)
        await audit.record(
            db, "administrator.promoted", organization_id=organization.id, user_id=user.id
        )


async def create(email: str, name: str, password: str) -> None:
    """Make an account that is active at once. Raises `passwords.WeakPassword` and `Invalid`."""
    email = _checked(Email, email, "This is no e-mail address such as name@example.com.")
    name = _checked(DisplayName, name, "A name has 1 to 120 letters that can be seen.")
    passwords.check(password, email=email, name=name)
    hashed = await passwords.hash_password(password)
    async with transaction(elevated=True) as db:
        organization = await users.the_organization(db)
        user = await users.add(
            db,
            email=email,
            display_name=name,
            organization_id=organization.id,
            role=Role.ADMIN,
        )
        user.activated_at = now()
        if SignUpSettings.load().organization == "own" and organization.owner_id is None:
            organization.owner_id = user.id
        db.add(Password(user_id=user.id, hash=hashed))
        await audit.record(
            db, "administrator.created", organization_id=organization.id, user_id=user.id
        )


def _checked(kind: Any, given: str, otherwise: str) -> str:
    try:
        return str(TypeAdapter(kind).validate_python(given))
    except ValidationError as error:
        raise Invalid(otherwise) from error
