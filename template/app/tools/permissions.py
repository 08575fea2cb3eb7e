"""Who may approve what a model wants to do in someone's name, when the tool is theirs as well."""

PERMISSIONS = {"tools.approve": ("reviewer", "admin")}
MEANINGS = {
    "tools.approve": "Approve or decline what the assistant wants to do.",
}
