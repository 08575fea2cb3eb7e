import pytest

from app.guardrails.personal_data import personal_data

COUNTRIES = ("US", "GB", "DE", "FR", "ES", "IT")


def kinds(text: str) -> list[tuple[str, str]]:
    return [(text[one.start : one.end], one.kind) for one in personal_data(text, COUNTRIES)]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ada.lovelace+work@mail.example.co.uk", "email"),
        ("+49 30 901820", "phone"),
        ("+44 (0)20 7946 0958", "phone"),
        ("0049 30 901820", "phone"),
        ("(212) 555-2368", "phone"),
        ("030 901820-15", "phone"),
        ("06 12 34 56 78", "phone"),
        ("3476543210", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("378282246310005", "card"),
        ("4222222222222", "card"),
        ("DE89 3704 0044 0532 0130 00", "account"),
        ("GB29NWBK60161331926819", "account"),
        ("203.0.113.9", "address"),
        ("2001:db8::8a2e:370:7334", "address"),
        ("219-09-9999", "national"),
        ("AB 12 34 56 C", "national"),
        ("12345678Z", "national"),
        ("RSSMRA85T10A562S", "national"),
        ("1 85 05 78 006 084 91", "national"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "Please note {}, thanks.", "({})", "x: {}\nnext"])
def test_each_form_is_found_with_nothing_around_it(said, kind, around):
    assert kinds(around.format(said)) == [(said, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "What happened on 2024-01-15 at 12:30:45?",
        "From 1914-1918 and 12/05/2023 until 3.11.2024.",
        "Version 1.2.3.4567, build 20240115093000, order 1234567890123456.",
        "It costs $1,234,567.89 or 1 234 567,89 €.",
        "See arXiv:2202.01279 {2202.01279} and doi 10.1000/182.",
        "Is 4111 1111 1111 1112 a card? DE89 3704 0044 0532 0130 01?",
        "127.0.0.1 and 0.0.0.0 and ::1 are this machine.",
        "12345678A has a wrong letter; 000-12-3456 is no number.",
        "user@localhost, @handle and a@b are no addresses.",
        "7568/10000 [00:33<00:12, 220.1 it/s]",
        "0 1 2 3 4 5 6 7 8 9",
        "The unix time 1700000000 and the id 550e8400-e29b-41d4-a716-446655440000.",
    ],
)
def test_other_numbers_are_left_alone(text):
    assert kinds(text) == []


def test_what_overlaps_is_found_once():
    assert kinds("DE89370400440532013000 ada@example.com") == [
        ("DE89370400440532013000", "account"),
        ("ada@example.com", "email"),
    ]
