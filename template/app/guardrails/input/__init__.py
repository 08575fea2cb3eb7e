"""Guards for questions. Each file is one guard: `VERSION` and `async check(question)`."""
