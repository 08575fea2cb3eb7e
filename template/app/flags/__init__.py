"""Feature flags: for releasing to some people first, and for stopping models."""
