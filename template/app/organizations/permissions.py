"""What every member may do with organisations; to change one is `organization.manage` in users."""

PERMISSIONS = {"organizations.create": ("member", "reviewer", "admin")}
# A key belongs to one organisation and stays there.
CLOSED_TO_KEYS = ("organizations.create",)
MEANINGS = {
    "organizations.create": "Make further organisations.",
}
