"""How much of everything so many people need: `app capacity`."""
