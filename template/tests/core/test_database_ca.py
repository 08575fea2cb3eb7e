"""The authority of the database comes as text, for clouds whose own no system knows."""

import os
from pathlib import Path

from psycopg import pq
from typer.testing import CliRunner

from app.cli import cli


def test_libpq_proves_the_database_with_the_certificates_that_were_given(monkeypatch):
    monkeypatch.setenv("PGSSLROOTCERT", "/of/before.pem")
    monkeypatch.setenv("DATABASE_CA", "-----BEGIN CERTIFICATE-----\n...\n")

    assert CliRunner().invoke(cli, ["keys", "new"]).exit_code == 0

    options = {option.keyword: option.val for option in pq.Conninfo.get_defaults()}
    named = os.environ["PGSSLROOTCERT"]
    assert options[b"sslrootcert"] == named.encode()
    assert Path(named).read_text() == "-----BEGIN CERTIFICATE-----\n...\n"
    assert Path(named).stat().st_mode & 0o077 == 0
    Path(named).unlink()
