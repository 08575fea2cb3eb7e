PERMISSIONS = {"abuse.read": ("admin",), "abuse.manage": ("admin",)}
# A key that is suspended does not lift it.
CLOSED_TO_KEYS = ("abuse.manage",)
MEANINGS = {
    "abuse.read": "See what was taken for an attack and what was done about it.",
    "abuse.manage": "Slow down or suspend people and addresses, and lift it.",
}
