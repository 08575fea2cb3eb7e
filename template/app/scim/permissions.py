PERMISSIONS = {
    "scim.manage": ("admin",),
}
