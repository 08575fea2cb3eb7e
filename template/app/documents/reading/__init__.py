"""Reads a file into pieces of text, or says why not. Runs in a process of its own: `child.py`.

Nothing here imports the rest of the app, so that the process starts fast and knows no secret.
"""
