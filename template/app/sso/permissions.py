PERMISSIONS = {
    "sso.read": ("admin",),
}
MEANINGS = {
    "sso.read": "See the providers of single sign-on.",
}
