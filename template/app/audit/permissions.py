"""Who may read the log. Nobody may write or change it but through audit.service."""

PERMISSIONS = {"audit.read": ("admin",)}
MEANINGS = {
    "audit.read": "Read and export the audit log.",
}
