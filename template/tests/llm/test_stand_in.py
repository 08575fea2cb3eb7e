"""The stand-in on questions whose answers stand in the shipped documents, and on others."""

import shutil
import tomllib
from pathlib import Path

import pytest

from app.core.settings import ROOT
from app.llm.extractive.documents import sentences
from app.llm.extractive.search import ENOUGH, Index
from app.llm.extractive.words import stem, terms
from app.llm.port import Ask, Delta, Finish, Message, Passage
from app.llm.providers.stand_in import StandIn

QUESTIONS = tomllib.loads((Path(__file__).parent / "questions.toml").read_text(encoding="utf-8"))
DOCUMENTS = ("README.md", "docs/model-calls.md", "docs/guardrails.md", "docs/usage.md")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> Path:
    """The documents that the questions are about."""
    root = tmp_path_factory.mktemp("project")
    (root / "docs").mkdir()
    for name in DOCUMENTS:
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def index(shipped) -> Index:
    return Index(sentences(shipped))


def coverage(index: Index, question: str) -> float:
    ranked = index.ranked(question)
    return ranked[0].coverage if ranked else 0.0


def test_most_of_what_the_documents_say_is_answered(index):
    answered = [one for one in QUESTIONS["answered"] if index.find(one[0])]

    assert len(answered) >= 0.85 * len(QUESTIONS["answered"])


def test_what_is_answered_is_answered_with_the_right_passage(index):
    wrong = []
    for question, path, piece in QUESTIONS["answered"]:
        hits = index.find(question)
        quotes = [(hit.sentence.path, index.quote(hit).lower()) for hit in hits]
        if hits and not any(at == path and piece.lower() in quote for at, quote in quotes):
            wrong.append(question)

    assert len(wrong) <= 0.1 * len(QUESTIONS["answered"]), wrong


def test_what_the_documents_do_not_say_is_not_answered(index):
    answered = [question for question in QUESTIONS["unanswered"] if index.find(question)]

    assert len(answered) <= 0.05 * len(QUESTIONS["unanswered"]), answered


def test_most_decisions_are_not_close(index):
    scores = [coverage(index, one[0]) for one in QUESTIONS["answered"]]
    others = [coverage(index, one) for one in QUESTIONS["unanswered"]]

    assert sorted(scores)[len(scores) // 2] >= ENOUGH + 0.2
    assert sorted(others)[len(others) * 9 // 10] <= ENOUGH - 0.05


def test_all_documents_of_the_project_together_answer_no_more_of_it():
    everything = Index(sentences(ROOT))
    answered = [question for question in QUESTIONS["unanswered"] if everything.find(question)]

    assert len(answered) <= 0.1 * len(QUESTIONS["unanswered"]), answered


def test_among_all_documents_it_finds_the_one_that_is_about_it():
    everything = Index(sentences(ROOT))
    asked = [(question, path) for question, path, _ in QUESTIONS["answered"]]
    asked += [(question, path) for question, path in QUESTIONS["elsewhere"]]
    asked = [one for one in asked if (ROOT / one[1]).exists()]

    found = [
        question
        for question, path in asked
        if any(hit.sentence.path == path for hit in everything.find(question))
    ]

    assert len(found) >= 0.7 * len(asked), {question for question, _ in asked} - {*found}


def test_of_two_questions_in_one_both_are_answered(index):
    """Each that is answered alone, together with another one."""

    def finds(asked, known):
        _, path, piece = known
        return any(
            hit.sentence.path == path and piece.lower() in index.quote(hit).lower()
            for hit in index.find(asked)
        )

    alone = [one for one in QUESTIONS["answered"] if finds(one[0], one)]
    both = 0
    for one, other in zip(alone, [*alone[7:], *alone[:7]], strict=True):
        asked = f"{one[0].rstrip('?')}, and {other[0][0].lower()}{other[0][1:]}"
        both += finds(asked, one) and finds(asked, other)

    assert both >= 0.7 * len(alone), (both, len(alone))


async def answered(provider: StandIn, question: str) -> tuple[str, Finish, int]:
    said, pieces, finish = "", 0, None
    ask = Ask([Message("system", "Be kind."), Message("user", question)], feature="test")
    async for event in provider.stream(ask):
        if isinstance(event, Delta):
            said, pieces = said + event.text, pieces + 1
        else:
            finish = event
    assert finish
    assert (await provider.complete(ask)).text == said
    return said, finish, pieces


async def test_an_answer_quotes_its_sources_and_streams(shipped):
    said, finish, pieces = await answered(StandIn(shipped), "What happens with a budget of zero?")

    [source] = finish.sources
    assert source.path == "docs/usage.md"
    assert source.title == "Budgets and usage"
    assert source.quote in said
    assert "docs/usage.md" in said
    assert pieces > 5
    assert finish.model == "extractive-stand-in"


async def test_it_says_when_it_does_not_know(shipped):
    said, finish, _ = await answered(StandIn(shipped), "Who painted the Mona Lisa?")

    assert said.startswith("I do not know.")
    assert finish.sources == ()


async def test_a_changed_document_is_read_again(tmp_path):
    provider = StandIn(tmp_path)
    question = "Which colour has the flagship?"
    assert (await answered(provider, question))[0].startswith("I do not know.")

    (tmp_path / "README.md").write_text("# Fleet\n\nThe colour of the flagship is red.\n")
    assert "is red." in (await answered(provider, question))[0]


def test_documents_are_read_as_people_read_them(tmp_path):
    (tmp_path / "README.md").write_text(
        "# Top\n\nOne **bold** [link](http://x). Two `code` e.g. this!\nStill two? Three.\n\n"
        "```\nnot this\n```\n## Part\n\n- first item\n- second\n  line\n\n"
        "| A | B |\n| --- | --- |\n| x | y |\n"
    )
    found = [(one.heading, one.text) for one in sentences(tmp_path)]

    assert found == [
        ("Top", "One bold link."),
        ("Top", "Two `code` e.g. this!"),
        ("Top", "Still two?"),
        ("Top", "Three."),
        ("Top › Part", "first item"),
        ("Top › Part", "second line"),
        ("Top › Part", "A — B"),
        ("Top › Part", "x — y"),
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("limit", "limits", "limited", "limiting"),
        ("provider", "providers"),
        ("reserve", "reserved", "reserving"),
        ("organize", "organise", "organization", "organisations"),
        ("budget", "budgets"),
        ("stop", "stopped", "stopping"),
    ],
)
def test_forms_of_a_word_are_one(words):
    assert len({stem(word) for word in words}) == 1


def test_words_that_every_question_has_do_not_count():
    assert terms("How do I use the thing, please?") == []
    assert terms("the LLM_BASE_URL") == ["llm_base_url", "llm", "base", "url"]


def test_words_that_every_question_of_other_languages_has_do_not_count():
    assert terms("Wie viele Tage Urlaub habe ich im Jahr?") == ["tage", "urlaub", "jahr"]
    assert terms("Combien de jours sont dans ce mois ?") == ["jour", "mois"]
    assert terms("¿Cuántos días hay en el mes?") == ["días", "mes"]
    assert terms("Quanti giorni ci sono nel mese?") == ["giorni", "mese"]
    assert terms("Which AI runs in the EU?") == ["ai", "run", "eu"]


GERMAN = """Mitarbeiter reichen Reisekosten innerhalb von sechs Wochen nach der Reise ein.
Der Urlaub ist dreißig Tage lang. Was davon bleibt, verfällt am 31. März des Jahres, das folgt.
Die Hotline ist werktags von acht bis achtzehn Uhr unter der Nummer 4711 zu erreichen."""


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Wie viele Tage ist der Urlaub?", "dreißig"),
        ("Welche Nummer hat die Hotline?", "4711"),
        ("Wann verfällt das, was vom Urlaub bleibt?", "31. März des Jahres"),
        ("Wer ist der Geschäftsführer?", ""),
        ("Wie ist das Wetter, und was wird es morgen?", ""),
    ],
)
async def test_a_german_question_is_answered_by_what_it_asks_about(question, said):
    """Articles and verbs that every sentence has would find the first one that comes along."""
    passages = [Passage(one, "Handbuch", "") for one in GERMAN.splitlines()]
    ask = Ask([Message("user", question)], feature="test", with_context=True, passages=passages)
    answer = await StandIn(ROOT).complete(ask)
    assert said in answer.text
    assert bool(answer.finish.sources) == bool(said), answer.text
