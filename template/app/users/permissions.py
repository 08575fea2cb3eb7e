EVERYONE = ("member", "reviewer", "admin")

PERMISSIONS = {
    "account.manage": EVERYONE,
    "users.read": ("admin",),
    "users.manage": ("admin",),
}
