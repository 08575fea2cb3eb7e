"""Where to go next when an address came from outside."""


def local_path(given: str | None, otherwise: str = "/") -> str:
    """`given` when it is a path of this site, else `otherwise`: no redirect leads elsewhere."""
    if not given or not given.startswith("/") or not given.isprintable():
        return otherwise
    # Browsers read a backslash as a slash, and //host as another site.
    return otherwise if given.replace("\\", "/").startswith("//") else given
