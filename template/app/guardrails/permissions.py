"""Who may see and set what an organisation wants stricter."""

PERMISSIONS = {"guards.read": ("admin",), "guards.set": ("admin",)}
# What everyone in the organisation may ask is not changed by a program's key.
CLOSED_TO_KEYS = ("guards.set",)
MEANINGS = {
    "guards.read": "See what the guards do.",
    "guards.set": "Make the guards stricter and forbid words.",
}
