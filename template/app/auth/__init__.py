"""Signing up, signing in and everything that proves who someone is."""
