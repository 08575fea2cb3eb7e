"""Every table that holds a person's data is in the file, or says why it is not."""

import pytest

from app.core import data
from app.core.data import Level
from app.own_data import collecting

TABLES = [(table, declared) for table, declared in data.tables() if declared]
IN = {table.name for table, *_ in collecting.own_tables()}


def knows_of_people(table, declared) -> bool:
    says = any(data.level(one, declared) in {Level.PERSONAL, Level.WORDS} for one in table.columns)
    points = any(key.column.table.name == "users" for key in table.foreign_keys)
    return says or points or "user_id" in table.columns


@pytest.mark.parametrize("found", TABLES, ids=lambda one: one[0].name)
def test_a_table_that_knows_of_people_is_in_the_file_or_says_why_not(found):
    table, declared = found
    assert not (table.name in IN and table.name in collecting.WITHOUT)
    if knows_of_people(table, declared):
        assert table.name in IN | collecting.WITHOUT.keys(), (
            f"{table.name}: give it a `user_id`, or name it in app/own_data/collecting.py"
        )


def test_no_secret_is_told():
    for table, declared, *_ in collecting.own_tables():
        for column in collecting.told(table, declared):
            assert data.level(column, declared) in {Level.PLAIN, Level.PERSONAL, Level.WORDS}, (
                column
            )
