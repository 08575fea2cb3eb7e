"""What an organisation's policy calls this way in."""

METHOD = "passkey"
LABEL = "Passkey"
