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
MEANINGS = {
    "account.manage": "Manage one's own account.",
    "users.read": "See people, their roles and invitations.",
    "users.manage": "Invite, suspend and remove people, and change their roles.",
    "organization.manage": "Change the organisation's name and rules, hand it on or delete it.",
    "roles.manage": "Make and change roles.",
}
