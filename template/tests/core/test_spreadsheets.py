import pytest

from app.core.spreadsheets import as_text


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\n=1", "\u00a0=1"]
)
def test_what_looks_like_a_formula_is_a_text(text):
    assert as_text(text)[0] == "'"
    assert as_text(text).replace("'", "") == text


@pytest.mark.parametrize("text", ["＝1+1", "＋1", "－1", "＠SUM(1)"])
def test_signs_of_full_width_are_signs_to_a_spreadsheet_too(text):
    assert as_text(text) == f"'{text}"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_no_cell_begins_where_another_country_separates_cells(separator):
    """A German spreadsheet splits lines at semicolons, also within what commas separate."""
    assert as_text(f"Ada{separator}=cmd()") == f"Ada{separator}'=cmd()"
    assert as_text(f"Ada{separator} @SUM(1)") == f"Ada{separator}' @SUM(1)"
    assert as_text(f"Ada{separator}Grace") == f"Ada{separator}Grace"


def test_other_texts_stay_as_they_are():
    for text in ("", "Ada", "a=1", "ada+x@example.com", "O'Brien; Ltd", "محمد", "1;2"):
        assert as_text(text) == text
