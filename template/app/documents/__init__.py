"""What people upload, read and split, and found again by whoever may see it."""
