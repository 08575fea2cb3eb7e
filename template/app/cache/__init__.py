"""Answers that were given before, and the vectors of texts that were seen before."""
