"""What processes keep in memory of the database, and how they notice that it has changed."""
