"""Who may see what was used, and set budgets."""

PERMISSIONS = {
    "usage.read_own": ("member", "reviewer", "admin"),
    "usage.read": ("admin",),
    "usage.limit": ("admin",),
}
