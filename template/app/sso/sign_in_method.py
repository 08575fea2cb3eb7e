"""What an organisation's policy calls this way in."""

METHOD = "sso"
LABEL = "Single sign-on"
