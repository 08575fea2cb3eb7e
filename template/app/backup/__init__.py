"""Backups: what the database and the store of files hold, encrypted for a key that is elsewhere."""
