PERMISSIONS = {
    "scim.manage": ("admin",),
}
MEANINGS = {
    "scim.manage": "Connect the company's directory.",
}
