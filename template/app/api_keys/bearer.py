"""API keys: for programs, with a part of what their owner may do."""

from typing import LiteralString

from app.access.person import Person
from app.access.roles import closed_to_keys, custom, granted
from app.api_keys.service import digest_of
from app.api_keys.settings import ApiKeysSettings
from app.core import credentials
from app.limits.connections import fetch
from app.limits.service import Rate, take

PREFIX = credentials.prefix(credentials.key_kind())
BY_KEY = True
OPEN: LiteralString = "SELECT * FROM open_api_key(%(digest)s)"
# By the secret that it has now: whoever renews a key does not end what it has begun.
REOPEN: LiteralString = (
    "SELECT opened.key_id FROM api_keys k CROSS JOIN LATERAL open_api_key(k.digest) opened"
    " WHERE k.id = %(id)s"
)


async def identify(credential: str) -> Person | None:
    if not credentials.is_key(credential):
        return None
    row = await fetch(OPEN, {"digest": digest_of(credential)})
    if row is None:
        return None
    *known, second_factor, made_at, since, policy, organization, role_permissions, scopes = row
    user_id, organization_id, key_id, email, name, role = known
    await take(f"api-key:{key_id}", Rate(per_minute=ApiKeysSettings.load().per_minute))
    held = granted(role) if role_permissions is None else custom(role_permissions)
    return Person(
        user_id=user_id,
        organization_id=organization_id,
        session_id=key_id,
        email=email,
        display_name=name,
        role=role,
        level="full",
        second_factor=second_factor,
        authenticated_at=made_at,
        created_at=since,
        second_factor_policy=policy,
        organization_name=organization,
        permissions=(held & frozenset(scopes)) - closed_to_keys(),
        by_key=True,
    )
