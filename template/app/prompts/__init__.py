"""The registry of prompts: immutable versions, labels, and what each call is made with."""
