"""People look at answers: a queue with reasons and deadlines, second opinions, corrections."""
