"""Words that an organisation forbids, in answers that come piece by piece."""

import random

import pytest

from app.guardrails.chain import AnswerScreens
from app.guardrails.review_words import compiled
from app.guardrails.verdicts import AnswerContext, Refused

WORDS = ("it", "Zebra  crossing", "#tag", "straße", "ok")


def shown(pieces: list[str]) -> tuple[str, bool]:
    """What people see, and whether the answer ended there."""
    screens = AnswerScreens(AnswerContext("", "", compiled(WORDS), WORDS, "block"))
    said = ""
    try:
        for piece in pieces:
            said += screens.feed(piece)
        return said + screens.feed("", last=True), False
    except Refused:
        return said, True


def cut(text: str) -> list[list[str]]:
    drawn = random.Random(text)
    places = [sorted(drawn.sample(range(1, len(text)), 3)) for _ in range(20)]
    some = [[text[a:b] for a, b in zip([0, *at], [*at, None], strict=True)] for at in places]
    return [[text], list(text), *some]


@pytest.mark.parametrize(
    "text", ["Please wait, you two.", "A zebra crosses it_", "edit this #tags", "A zebra. Crossing"]
)
def test_a_part_of_another_word_is_none_of_them(text):
    for pieces in cut(text):
        assert shown(pieces) == (text, False)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Well, it is so.", "Well, "),
        ("At the zebra" + " \n" * 60 + "crossing, go.", "At the "),
        ("Use #TAG now", "Use "),
        ("Use ##tag.", "Use #"),
        ("Die STRASSE: Straße.", "Die STRASSE: "),
        ("This is O\u212a!", "This is "),
        ("A zebra. Zebra crossing", "A zebra. "),
    ],
)
def test_nothing_of_one_is_shown_however_it_is_cut(text, seen):
    for pieces in cut(text):
        said, ended = shown(pieces)
        assert ended
        # What is asked for in one piece ends before anything of that piece is shown.
        assert seen.startswith(said)
        assert said == seen or len(pieces) < len(text)


def test_what_can_become_none_of_them_is_shown_at_once():
    screens = AnswerScreens(AnswerContext("", "", compiled(WORDS), WORDS, "block"))
    assert screens.feed("The first words ") == "The first words "
    assert screens.feed("end i") == "end "
    assert screens.feed("n all cases ").startswith("in all")
