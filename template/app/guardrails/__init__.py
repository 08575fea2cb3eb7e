"""Checks on what goes to a model and on what comes back. A guard that fails blocks."""
