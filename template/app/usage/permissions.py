"""Who may see what was used, and set budgets."""

PERMISSIONS = {
    "usage.read_own": ("member", "reviewer", "admin"),
    "usage.read": ("admin",),
    "usage.limit": ("admin",),
}
MEANINGS = {
    "usage.read_own": "See what one has used oneself.",
    "usage.read": "See what everyone used, and what it cost.",
    "usage.limit": "Set budgets.",
}
