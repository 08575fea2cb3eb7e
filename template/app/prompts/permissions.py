"""They count in the organisation that runs the app only: prompts belong to the installation."""

PERMISSIONS = {
    "prompts.read": ("admin",),
    "prompts.write": ("admin",),
    "prompts.release": ("admin",),
    # Releasing a version whose evaluation did not pass, for a reason.
    "prompts.override": ("admin",),
}
# What every customer's assistant is told is not changed by a program's key.
CLOSED_TO_KEYS = ("prompts.release", "prompts.override")
MEANINGS = {
    "prompts.read": "See prompts and their versions.",
    "prompts.write": "Write new versions, which answer nobody yet.",
    "prompts.release": "Bring versions to people and take them back.",
    "prompts.override": "Release a version that did not pass, for a reason.",
}
