"""What the version before could not live with."""

import pytest

from app.core.migration_rules import broken


def found(line: str, before: str = "") -> list[str]:
    source = f"{before}\ndef upgrade():\n    op.create_table('fresh', x)\n    {line}\n"
    return [what for _, what in broken(source)]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("op.drop_table('notes')", "drops a table"),
        ("op.drop_column('notes', 'text')", "drops a column"),
        ("op.rename_table('notes', 'remarks')", "renames a table"),
        ("op.alter_column('notes', 'text', new_column_name='words')", "renames a column"),
        ("op.alter_column('notes', 'text', type_=sa.Integer())", "changes a column's type"),
        ("op.alter_column('notes', 'text', nullable=False)", "forbids NULL"),
        ("op.add_column('notes', sa.Column('a', sa.Text(), nullable=False))", "does not fill"),
        ("op.execute('ALTER TABLE notes DROP COLUMN text')", "drops a column"),
        ("op.execute('alter table notes rename to remarks')", "renames"),
        ("op.execute('ALTER TABLE notes ALTER text SET NOT NULL')", "forbids NULL"),
        ("op.execute(f'ALTER TABLE notes ALTER COLUMN text TYPE {kind}')", "type"),
        ("op.create_index('ix', 'notes', ['text'])", "locks the table"),
        ("op.execute('CREATE UNIQUE INDEX ix ON notes (text)')", "locks the table"),
        ("op.create_foreign_key('fk', 'notes', 'users', ['a'], ['id'])", "locks it"),
    ],
)
def test_it_waits_or_says_why(line: str, word: str) -> None:
    assert [what for what in found(line) if word in what], found(line)
    assert found(line, 'CONTRACT = "gone since May"\nLOCKS = "a hundred rows"') == []
    assert found(line, 'CONTRACT = ""\nLOCKS = ""'), "an empty reason is none"


@pytest.mark.parametrize(
    "line",
    [
        "op.add_column('notes', sa.Column('a', sa.Text()))",
        "op.add_column('notes', sa.Column('a', sa.Text(), nullable=False, server_default=''))",
        "op.create_index('ix', 'fresh', ['text'])",
        "op.alter_column('notes', 'text', nullable=True)",
        "op.execute('UPDATE notes SET text = upper(text) WHERE text IS NOT NULL')",
        "op.execute('CREATE INDEX ix ON fresh (text)')",
    ],
)
def test_what_only_adds_is_free(line: str) -> None:
    assert found(line) == []
