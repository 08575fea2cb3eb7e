"""Everything that is held about a person, as a file for themselves."""
