EVERYONE = ("member", "reviewer", "admin")

PERMISSIONS = {
    "account.manage": EVERYONE,
    "users.read": ("admin",),
    "users.manage": ("admin",),
    "organization.manage": ("admin",),
    "roles.manage": ("admin",),
}
# Without it nobody could sign out, so a custom role has it too.
ALWAYS = ("account.manage",)
# With these a key could outlive or widen itself, so no key carries them.
CLOSED_TO_KEYS = ("account.manage", "users.manage", "roles.manage", "organization.manage")
