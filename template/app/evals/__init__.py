"""Evaluations: what a version of a prompt must answer before it may go live."""
