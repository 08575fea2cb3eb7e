"""The steps of a model call, one in each file. `life.py` says what a step is."""
