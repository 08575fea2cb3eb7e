"""Who may see what was used, and set budgets."""

PERMISSIONS = {
    "usage.read_own": ("member", "reviewer", "admin"),
    "usage.read": ("admin",),
    "usage.limit": ("admin",),
    # Counts in the organisation that runs the app only.
    "usage.ceiling": ("admin",),
}
# What every customer may use is not changed by a program's key.
CLOSED_TO_KEYS = ("usage.ceiling",)
MEANINGS = {
    "usage.read_own": "See what one has used oneself.",
    "usage.read": "See what everyone used, and what it cost.",
    "usage.limit": "Set budgets.",
    "usage.ceiling": "See what each organisation spends and set the most that it may use; for"
    " those who run the app.",
}
