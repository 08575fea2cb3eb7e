"""What a person's question holds of personal data and secrets never reaches the provider."""

import pytest

from app.llm import errors
from app.llm.port import Message
from tests.llm.caller import SYSTEM
from tests.llm.wire_server import Behaviour

TOKEN = "ghp_" + "a8Kd02mXq7Pz5Lw9Rt3Vb6Nc1Yh4Jf0Gs2"
QUESTION = f"Write to ada@example.com and bob@example.com, call +49 30 901820. Key: {TOKEN}"


def sent(wire_server) -> str:
    return str(wire_server.requests[-1].body["messages"])


async def test_the_provider_sees_placeholders_and_the_person_sees_the_data(caller, wire_server):
    wire_server.behaviour = Behaviour(
        words=(
            "Dear [EMAIL",
            "_1], call [PHONE_1",
            "] with [SECRET_1] or [EMAIL_2], [EMAIL_9]. [EM",
        )
    )
    shown, _ = await caller.ask(QUESTION)

    assert "ada@example.com" not in sent(wire_server)
    assert "901820" not in sent(wire_server)
    assert TOKEN not in sent(wire_server)
    assert "Write to [EMAIL_1] and [EMAIL_2], call [PHONE_1]. Key: [SECRET_1]" in sent(wire_server)
    assert shown == (
        f"Dear ada@example.com, call +49 30 901820 with {TOKEN} or bob@example.com, [EMAIL_9]. [EM"
    )


async def test_the_audit_log_says_which_kinds_and_not_what(caller):
    await caller.ask(QUESTION)
    event = await caller.event()

    assert event.detail["input_guards"]["masked"] == ["email", "phone", "secret"]
    assert "ada" not in str(event.detail)


async def test_earlier_turns_are_masked_again_with_the_same_placeholders(caller, wire_server):
    history = [
        Message("system", SYSTEM),
        Message("user", "My address is ada@example.com."),
        Message("assistant", "I noted ada@example.com, and carol@example.com."),
        Message("user", "Write to ada@example.com."),
    ]
    for _ in range(2):  # The second time everything is remembered as read.
        await caller.ask(messages=history)

        assert "example.com" not in sent(wire_server)
        said = [one["content"] for one in wire_server.requests[-1].body["messages"][1:]]
        assert said == [
            "My address is [EMAIL_1].",
            "I noted [EMAIL_1], and [EMAIL_2].",
            "Write to [EMAIL_1].",
        ]


async def test_kinds_that_a_setting_leaves_out_pass(caller, wire_server, configure):
    configure(GUARDRAILS_MASK='["phone"]')
    await caller.ask(QUESTION)

    assert "ada@example.com" in sent(wire_server)
    assert "901820" not in sent(wire_server)


async def test_a_private_key_is_not_sent_at_all(caller, wire_server):
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"
    problem = await caller.refused(errors.QuestionRefused, f"What is wrong here? {key}")

    assert "private key" in problem.detail
    assert wire_server.connections == 0


async def test_without_such_data_nothing_is_changed(caller, wire_server):
    await caller.ask("Who are you?")

    assert "stand for data" not in sent(wire_server)


@pytest.mark.parametrize("literal", ["[EMAIL_1]", "[note]", "[1]"])
async def test_brackets_of_an_answer_stay(caller, wire_server, literal):
    wire_server.behaviour = Behaviour(words=("See ", literal, " and more"))
    shown, _ = await caller.ask("My phone is +49 30 901820.")

    assert shown == f"See {literal} and more"
