"""Who may read and upload documents, show them to others, and see how good they are."""

PERMISSIONS = {
    "documents.read": ("member", "reviewer", "admin"),
    "documents.write": ("member", "reviewer", "admin"),
    "documents.share": ("reviewer", "admin"),
    "documents.manage": ("admin",),
}
MEANINGS = {
    "documents.read": "Read documents, as far as they are open to oneself.",
    "documents.write": "Upload, replace and delete one's own documents.",
    "documents.share": "Open documents to roles or to everyone.",
    "documents.manage": "See how good the documents are, in numbers, and index them anew.",
}
