"""OpenFeature on our own table: code asks a neutral client, and another provider may answer it."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import cast
from uuid import UUID

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, FeatureProvider, Metadata

from app.access.person import Person
from app.core.errors import CannotStart
from app.core.logging import log
from app.flags import state
from app.flags.settings import FlagsSettings

DOMAIN = "app"


class DatabaseProvider(AbstractProvider):
    """Answers from what the process knows. Our flags are on or off; other kinds keep their default.

    The context's targeting key is the person; `organization` and `role` are attributes.
    """

    def get_metadata(self) -> Metadata:
        return Metadata(name="feature_flags")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        found = state.flag(flag_key)
        if found is None:
            return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)
        if not found.enabled:
            return FlagResolutionDetails(False, reason=Reason.DISABLED)
        context = evaluation_context or EvaluationContext()
        organization = str(context.attributes.get("organization") or "")
        value = found.is_on_for(
            UUID(organization) if organization else None,
            str(context.attributes.get("role") or ""),
            context.targeting_key or "",
        )
        return FlagResolutionDetails(value, reason=Reason.TARGETING_MATCH)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return FlagResolutionDetails(default_value, reason=Reason.DEFAULT)


@cache
def client() -> OpenFeatureClient:
    """Waits for what FLAGS_PROVIDER names; what it does not know yet keeps its default."""
    try:
        api.set_provider_and_wait(_provider(), DOMAIN)
    except OpenFeatureError as error:
        log.warning("flags.provider_not_ready", error=type(error).__name__)
    return api.get_client(DOMAIN)


def _provider() -> FeatureProvider:
    wanted = FlagsSettings.load().provider
    if not wanted:
        return DatabaseProvider()
    module, _, name = wanted.partition(":")
    try:
        made = getattr(import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise CannotStart(
            f"FLAGS_PROVIDER names {wanted}, which cannot be imported: is its package installed?"
        ) from error
    if not hasattr(made, "resolve_boolean_details"):
        raise CannotStart(f"FLAGS_PROVIDER names {wanted}, which makes no provider of OpenFeature.")
    return cast("FeatureProvider", made)


def context_of(person: Person) -> EvaluationContext:
    return EvaluationContext(
        str(person.user_id),
        {"organization": str(person.organization_id), "role": person.role},
    )


def enabled(name: str, person: Person, *, default: bool = False) -> bool:
    """Whether a flag is on for someone; the default while nobody has set it."""
    return client().get_boolean_value(name, default, context_of(person))
