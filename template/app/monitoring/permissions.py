"""Who sees how the app does for their organisation, and who retrains it."""

PERMISSIONS = {
    "monitoring.read": ("reviewer", "admin"),
    # It counts in the organisation that runs the app only.
    "monitoring.retrain": ("admin",),
}
MEANINGS = {
    "monitoring.read": "See speed, errors, quality and value.",
    "monitoring.retrain": "Take datasets, and start or drop retraining.",
}
