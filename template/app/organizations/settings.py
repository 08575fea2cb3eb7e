from pydantic_settings import SettingsConfigDict

from app.core.settings import ModuleSettings


class OrganizationsSettings(ModuleSettings):
    model_config = SettingsConfigDict(env_prefix="ORGANIZATIONS_")

    owned_per_person: int = 5
    """How many organisations one person may own; 0 lets nobody make one. Twice as many can be made
    in a month, so that nobody deletes one for the budget of the next."""
