"""Who may work as someone else. A custom role has it when someone who has it gave it."""

PERMISSIONS = {"people.impersonate": ("admin",)}
CLOSED_TO_KEYS = ("people.impersonate",)
MEANINGS = {
    "people.impersonate": "Work as another person for a while; all of it is recorded.",
}
