"""Clouds sign their databases with an authority of their own: DATABASE_CA brings it as text."""

import os
import tempfile


def trust(certificates: str) -> str:
    """From now on every connection proves the server's name with these; libpq wants a file."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="database-ca-", suffix=".pem", delete=False, encoding="ascii"
    ) as file:
        file.write(certificates)
    os.environ["PGSSLROOTCERT"] = file.name
    return file.name
