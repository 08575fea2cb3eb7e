"""Organisations can say whether people may come in this way."""

METHOD = "sso"
LABEL = "Single sign-on"
