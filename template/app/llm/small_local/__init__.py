"""A real model of 135 million parameters on a laptop: `make dev MODEL=local`. For trying out only.

It runs in a process of its own with packages of its own, and the app asks it as it asks OpenAI.
"""
