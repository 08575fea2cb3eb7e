"""How often something may be done: rates that all processes share, and lockouts of accounts."""
