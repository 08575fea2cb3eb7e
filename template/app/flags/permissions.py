"""They count in the organisation that runs the app only: flags belong to the installation."""

PERMISSIONS = {"flags.read": ("admin",), "flags.set": ("admin",)}
# What every customer can do is not changed by a program's key.
CLOSED_TO_KEYS = ("flags.set",)
MEANINGS = {
    "flags.read": "See feature flags.",
    "flags.set": "Switch features on and off for everyone.",
}
