PERMISSIONS = {
    "sso.read": ("admin",),
}
