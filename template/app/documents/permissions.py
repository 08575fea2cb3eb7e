"""Who may read and upload documents, show them to others, and see how good they are."""

PERMISSIONS = {
    "documents.read": ("member", "reviewer", "admin"),
    "documents.write": ("member", "reviewer", "admin"),
    "documents.share": ("reviewer", "admin"),
    "documents.manage": ("admin",),
}
