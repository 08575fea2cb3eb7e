"""Finds the sentences of the project's own documents that answer a question, or finds none."""
