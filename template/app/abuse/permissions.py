PERMISSIONS = {"abuse.read": ("admin",), "abuse.manage": ("admin",)}
# A key that is suspended does not lift it.
CLOSED_TO_KEYS = ("abuse.manage",)
