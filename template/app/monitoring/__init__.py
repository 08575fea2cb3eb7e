"""How the app does: what is asked, how good answers are, what drifts, and when to retrain."""
