"""Who may see what the cache saves, and empty it."""

PERMISSIONS = {"cache.read": ("admin",), "cache.empty": ("admin",)}
MEANINGS = {
    "cache.read": "See what the cache of answers saves.",
    "cache.empty": "Empty the cache of answers.",
}
