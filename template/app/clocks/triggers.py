"""What migrations write so that processes notice changes: `tick("flags", "feature_flags")`.

The folder of those migrations has a file AFTER that names `clocks`.
"""

from alembic import op


def tick(clock: str, *tables: str) -> None:
    """Move the clock with each insert and update of these tables."""
    for table in tables:
        op.execute(
            f"CREATE TRIGGER tick AFTER INSERT OR UPDATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION tick_clock('{clock}')"
        )
