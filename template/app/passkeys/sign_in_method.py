"""The way in that an organisation can close or make the only one."""

METHOD = "passkey"
LABEL = "Passkey"
