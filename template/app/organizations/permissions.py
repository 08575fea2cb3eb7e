"""What every member may do with organisations; to change one is `organization.manage` in users."""

PERMISSIONS = {
    "organizations.create": ("member", "reviewer", "admin"),
    # Counts in the organisation that runs the app only.
    "organizations.read_all": ("admin",),
}
# A key belongs to one organisation and stays there.
CLOSED_TO_KEYS = ("organizations.create", "organizations.read_all")
MEANINGS = {
    "organizations.create": "Make further organisations.",
    "organizations.read_all": "See the list of all organisations; for those who run the app.",
}
