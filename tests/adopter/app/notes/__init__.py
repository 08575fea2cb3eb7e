"""What a team adds to its project: notes that people keep. tests/test_life.py copies it in."""
