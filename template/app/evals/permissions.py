"""They count in the organisation that runs the app only."""

PERMISSIONS = {
    "evals.read": ("admin",),
    "evals.run": ("admin",),
    # What cases that are held out ask. Whoever has written a version of the prompt never sees it.
    "evals.read_held_out": ("admin",),
}
MEANINGS = {
    "evals.read": "See evaluations of prompts.",
    "evals.run": "Evaluate prompts and models, which costs calls.",
    "evals.read_held_out": "See what held-out cases ask.",
}
