"""What can be switched off while the app runs."""

FLAGS = {
    "model.evals": "Cases that are put to a prompt; without them nothing passes the gate.",
    "model.evals.judge": "The judge of those cases.",
}
