"""Conversations with the assistant. This folder is yours: updates never touch it."""
