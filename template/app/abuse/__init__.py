"""Sees what no person does, and slows it, asks for a challenge or suspends it for a while.

Stuffing, spraying, floods of sign-ups, scraping and model extraction: docs/security/abuse.md.
"""
