"""Phone numbers that were confirmed by a texted code, and such codes as a second factor."""
