"""Who sees how the app does for their organisation."""

PERMISSIONS = {"monitoring.read": ("reviewer", "admin")}
