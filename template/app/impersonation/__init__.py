"""An administrator works as a member for a while, with a reason, and everyone can see it."""
