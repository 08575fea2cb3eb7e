"""Who may see what the cache saves, and empty it."""

PERMISSIONS = {"cache.read": ("admin",), "cache.empty": ("admin",)}
