"""Many organisations: make one, switch between one's own, join, leave, hand on, delete."""
