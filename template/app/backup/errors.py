from app.core.errors import CannotStart


class BackupFailed(CannotStart):
    """No backup was made, and the one before is as it was."""


class CannotRestore(CannotStart):
    """Nothing was changed, or what was begun is named; the message says what to do."""
