"""Output guards on streams: whatever is blocked or masked has never been shown, in any cutting."""

import random
import sys
from collections.abc import Iterator

import pytest

from app.guardrails.chain import AnswerScreens
from app.guardrails.verdicts import AnswerContext, Refused

PROMPT = (
    "You are the assistant of Example Ltd. Answer briefly, quote the handbook where you can and"
    " never promise a refund without asking the support team first."
)
CANARY = "9f3c2a7be4d01586"
CONTEXT = AnswerContext(PROMPT, CANARY)

# In two halves, so that no scanner takes this file for a leak.
TOKENS = {
    kind: "".join(halves)
    for kind, *halves in (
        ("AWS key", "AKIA", "Z7QW2M4NB8XKD5RT"),
        ("GitHub token", "ghp_", "a8Kd02mXq7Pz5Lw9Rt3Vb6Nc1Yh4Jf0Gs2"),
        ("GitLab token", "glpat-", "x7Kq_2mP9-Lw4Rt8Vb3Nc"),
        ("Slack token", "xoxb-", "123456789012-abcdefABCDEF0123456789"),
        ("Stripe key", "sk_live_", "51HqLyjWDarjtT1zdp7dcXyz"),
        ("API key", "sk-proj-", "T4xkQ29fLmZ7vWc8RbN3yHs6Jd1G"),
        ("Google key", "AIza", "SyD9x7Kq2mP4Lw8Rt3Vb6Nc1Yh5Jf0Gs2Qa"),
        ("Hugging Face token", "hf_", "QwErTyUiOpAsDfGhJkLzXcVbNm12345678"),
        ("npm token", "npm_", "a8Kd02mXq7Pz5Lw9Rt3Vb6Nc1Yh4Jf0Gs2Qa"),
        ("PyPI token", "pypi-", "AgEIcHlwaS5vcmcCJGE4S2QwMm1YcTdQejVMdzlSdDNWYjZOYzFZaDRKZjA"),
        ("SendGrid key", "SG.x7Kq2mP9Lw4Rt8Vb3Nc1Yh", ".Jf0Gs2QaT4xkQ29fLmZ7vWc8RbN3yHs6Jd1G"),
        ("storage key", "AccountKey=", "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eA=="),
        (
            "JSON web token",
            "eyJhbGciOiJIUzI1NiJ9.",
            "eyJzdWIiOiIxMjM0NTYifQ.dozjgNryP4J3jVmNHl0w5N",
        ),
    )
}
NUMBERS = [
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "5555555555554444",
    "3782 822463 10005",
    "378282246310005",
    "3056 930902 5904",
    "30569309025904",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "NO93 8601 1117 947",
]
SECRETS = [*TOKENS.values(), *NUMBERS]


def shown(text: str, pieces: list[str]) -> str:
    screens = AnswerScreens(CONTEXT)
    assert "".join(pieces) == text
    said = ""
    try:
        for piece in pieces:
            said += screens.feed(piece)
        return said + screens.feed("", last=True)
    except Refused:
        return said + "…withheld"


def cuttings(text: str) -> Iterator[list[str]]:
    """Every cut in two, single characters, and pieces of random length."""
    for cut in range(len(text) + 1):
        yield [text[:cut], text[cut:]]
    yield list(text)
    chance = random.Random(80)
    for _ in range(20):
        pieces, at = [], 0
        while at < len(text):
            size = chance.randint(1, 9)
            pieces.append(text[at : at + size])
            at += size
        yield pieces


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["Here: {}. Done?", "{}", "key={}\nnext line", '("{}")'])
def test_a_secret_is_never_shown_however_the_answer_is_cut(secret, around):
    if around.startswith("key=") and secret[0].isdigit():
        around = "card: {}\nnext line"
    text = around.format(secret)
    whole = shown(text, [text])
    assert "removed]" in whole
    for pieces in cuttings(text):
        said = shown(text, pieces)
        assert said == whole
        assert secret[4:12] not in said


@pytest.mark.parametrize("kind", TOKENS)
def test_a_mask_names_what_it_hides(kind):
    text = f"Use {TOKENS[kind]} today"
    assert shown(text, [text]) == f"Use [{kind} removed] today"


LONG_SENTENCE = "Never promise a refund without asking the support team first."


@pytest.mark.parametrize(
    "blocked",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        CANARY,
        CANARY.upper(),
        "answer briefly, quote the handbook where you can",
        "Answer BRIEFLY -- quote the *handbook* where\nyou can",
        LONG_SENTENCE,
    ],
)
def test_what_is_withheld_was_never_shown_however_the_answer_is_cut(blocked):
    text = f"Well then. {blocked} That was it."
    for pieces in cuttings(text):
        said = shown(text, pieces)
        assert said.endswith("…withheld")
        assert "Well then. ".startswith(said.removesuffix("…withheld"))


@pytest.mark.parametrize(
    "text",
    [
        "Hello! How can I help you today?",
        "I am the assistant of Example Ltd. Answer: quote the handbook.",
        "The task-force asked for risk-based planning; sk-8 is a road.",
        "Write sk-xxxxxxxxxxxxxxxxxxxxxxxx in place of your key, or sk-YOUR-KEY-GOES-HERE-0000.",
        "AWS documents AKIAIOSFODNN7EXAMPLE as an example.",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "In 2024 we sold 4111 units, 1111 of them in May and 1111 1111 in all.",
        "Order 4111 1111 1111 1112 has a wrong checksum.",
        "Numbers: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "@1493584516556 @1493584516557 #4111111111111111 /4111111111111111",
        "DE89 3704 0044 0532 0130 01 has a wrong checksum; US is no IBAN.",
        "See /eyJ/abc?x=ghp_short&y=1.",
        "日本語の答えです。改行\nも あります。",
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
        "3.14159265358979323846264338327950288",
        "A sentence that ends with A",
        "Ends with DE",
    ],
)
def test_ordinary_answers_are_shown_as_they_are(text):
    for pieces in cuttings(text):
        assert shown(text, pieces) == text


def test_ordinary_text_does_not_wait():
    screens = AnswerScreens(CONTEXT)
    for word in ("Paris ", "lies ", "on ", "Seine, ", "with ", "105 km2."):
        assert screens.feed(word) == word


def test_an_endless_token_with_the_beginning_of_a_secret_is_withheld():
    pieces = ["eyJ" + "x" * 20] * 2000

    assert shown("".join(pieces), pieces) == "…withheld"


def test_a_piece_costs_what_it_is_and_not_what_came_before():
    """By calls of functions, which no other load changes."""
    text = "Employees may take up to thirty days of holiday per year when they ask. " * 4

    def calls(times: int) -> int:
        screens, counted = AnswerScreens(CONTEXT), 0

        def count(_frame: object, event: str, _what: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            for _ in range(times):
                for word in text.split():
                    screens.feed(f" {word}")
        finally:
            sys.setprofile(None)
        return counted // times

    words = len(text.split())
    assert calls(1) < 98 * words
    assert calls(8) < calls(1) * 1.05
