"""Background work: a queue in PostgreSQL, retries, schedules."""
