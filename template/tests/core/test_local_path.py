import pytest

from app.core.local_path import local_path


@pytest.mark.parametrize("path", ["/", "/chat", "/a?b=c&d=//e", "/a/../b"])
def test_a_path_of_this_site_is_followed(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.asvs("1.2.2", "3.7.2")
@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "chat",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        " //evil.example",
    ],
)
def test_no_address_leads_to_another_site(given: str | None) -> None:
    assert local_path(given, "/home") == "/home"
