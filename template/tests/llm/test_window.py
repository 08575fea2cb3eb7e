import pytest

from app.llm.port import Message, estimated_input_tokens
from app.llm.window import fitted

SYSTEM = "Answer in one word."


def talk(turns: int, *, words: int = 10) -> list[Message]:
    return [
        Message("user" if number % 2 == 0 else "assistant", f"{number} " + "word " * words)
        for number in range(turns * 2)
    ]


@pytest.fixture
def window(configure):
    """A model with a window of so many tokens, an answer of up to 100 among them."""
    return lambda tokens: configure(LLM_CONTEXT_TOKENS=tokens, LLM_MAX_OUTPUT_TOKENS=100)


async def test_a_short_conversation_goes_to_the_model_whole(window):
    window(10_000)
    history = talk(3)
    assert fitted(SYSTEM, history, "Why?") == [
        Message("system", SYSTEM),
        *history,
        Message("user", "Why?"),
    ]


@pytest.mark.parametrize("tokens", range(256, 1500, 61))
async def test_question_history_and_answer_fit_the_window(window, tokens):
    window(tokens)
    assert estimated_input_tokens(fitted(SYSTEM, talk(50), "Why?")) + 100 <= tokens


async def test_what_is_oldest_is_left_out(window):
    window(400)
    history = talk(50)
    sent = fitted(SYSTEM, history, "Why?")
    assert sent[0] == Message("system", SYSTEM)
    assert sent[-1] == Message("user", "Why?")
    kept = sent[1:-1]
    assert kept == history[-len(kept) :]
    assert 0 < len(kept) < len(history)


async def test_no_answer_comes_without_its_question(window):
    for tokens in range(256, 800, 7):
        window(tokens)
        sent = fitted(SYSTEM, talk(50), "Why?")
        assert sent[1].role == "user"


async def test_nothing_older_follows_a_message_that_did_not_fit(window):
    window(500)
    long = [Message("user", "word " * 2000), Message("assistant", "Yes.")]
    sent = fitted(SYSTEM, [*talk(1), *long, *talk(1)], "Why?")
    assert sent[1:-1] == talk(1)


async def test_system_prompt_and_question_are_never_cut(window):
    window(256)
    system, question = "rule " * 300, "word " * 300
    assert fitted(system, talk(3), question) == [
        Message("system", system),
        Message("user", question),
    ]
