"""What people think of answers: a thumb up or down for a model call, and why."""
