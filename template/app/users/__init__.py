"""People, the organisation they belong to, their roles, and invitations."""
