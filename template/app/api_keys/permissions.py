PERMISSIONS = {
    "api_keys.use": ("member", "reviewer", "admin"),
    "api_keys.manage": ("admin",),
}
# A key that makes keys would outlive its own end.
CLOSED_TO_KEYS = ("api_keys.use", "api_keys.manage")
MEANINGS = {
    "api_keys.use": "Make keys for programs that act in one's own name.",
    "api_keys.manage": "See everyone's keys and revoke them.",
}
