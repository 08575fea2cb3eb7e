"""Passkeys (WebAuthn): a second factor, and a way to sign in without a password."""
