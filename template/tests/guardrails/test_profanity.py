"""Swear words: masked in answers; people may use them until their organisation forbids it."""

import pytest

from app.guardrails import state
from app.guardrails.chain import AnswerScreens
from app.guardrails.profanity import FILE, found_in
from app.guardrails.verdicts import AnswerContext
from tests.asking import browser, browser_of, model, text_of
from tests.factories import make_user, sign_in
from tests.llm.behaviour import Behaviour

__all__ = ["browser", "browser_of", "model"]

ANSWERS = {
    "en": ("He said it was bull", "shit, and the fuck", "ing printer burns."),
    "de": ("So ein Arsch", "loch, sagte er. Verfick", "ter Drucker!"),
    "fr": ("Il a crié « put", "ain », puis « conn", "ard »."),
    "es": ("Dijo: « gilipo", "llas », y luego « cabr", "ón »."),
    "pl": ("Powiedział: ku", "rwa, spierdal", "aj."),
    "ru": ("Он сказал: бля", "ть, иди на", "хуй."),
    "hi": ("उसने कहा: मादर", "चोद और चूति", "या।"),
    "zh": ("他说：傻", "逼，他妈", "的。"),
}
SHOWN = {
    "en": "He said it was b***, and the f*** printer burns.",
    "de": "So ein A***, sagte er. V*** Drucker!",
    "fr": "Il a crié « p*** », puis « c*** ».",
    "es": "Dijo: « g*** », y luego « c*** ».",
    "pl": "Powiedział: k***, s***.",
    "ru": "Он сказал: б***, иди н***.",
    "hi": "उसने कहा: म*** और च***।",
    "zh": "他说：傻***，他***。",
}
HARMLESS = (
    "From Scunthorpe to Penistone, Dick Cockburn and Kike Fick assess shiitake in Clitheroe.",
    "Es war die Pute mit Dickicht; der Fickle ist kein deutsches Wort, die Hure von Babylon schon.",
    "Der Anfang und das slut på dagen; hon fick en bostad med en kurva och foder till djuren.",
    "La puttanesca, lo stronzio, una fitta nebbia, le luci fisse e la salopette di chi lavora.",
    "De kussen liggen op de bank. Les mandats. Мандат, хуторянин и команда суконщиков.",
    "他操心他妈妈的身体。 出発は始発駅です。 시발역에서 출발. Amk Rovaniemi, göt till Göteborg.",
    "My niggardly uncle asks for peacock, cocktails and a class of analysts of Essex.",
)


@pytest.mark.parametrize("language", ANSWERS)
async def test_what_the_model_swears_is_masked_while_it_streams(language, browser, model):
    model.behaviour = Behaviour(words=ANSWERS[language])

    conversation = await browser.new()
    assert text_of(await browser.ask(conversation, "What did he say?")) == SHOWN[language]
    assert (await browser.messages(conversation))[-1]["text"] == SHOWN[language]


async def test_people_may_swear_until_their_organisation_forbids_it(
    client, browser, model, configure
):
    question = "Why the f u c k i n g hell does this scheiß printer not print?"
    conversation = await browser.new()
    await browser.ask(conversation, question)
    assert [state for _, _, state in await browser.said(conversation)][1] == "complete"

    admin = await make_user(browser.someone.organization_id, role="admin")
    await sign_in(client, admin, second_factor=True)
    wanted = {"version": 0, "actions": {"profanity": "block"}}
    assert (await client.put("/api/guards", json=wanted)).status_code == 200
    await state.kept.refresh()
    before = len(model.requests)
    refusal = await browser.client.post(
        f"/api/conversations/{await browser.new()}/messages", json={"text": question}
    )
    assert (refusal.status_code, len(model.requests)) == (422, before)
    assert "swear words" in refusal.json()["detail"]
    # And an answer that swears ends there.
    model.behaviour = Behaviour(words=ANSWERS["de"])
    conversation = await browser.new()
    assert "loch" not in text_of(await browser.ask(conversation, "What did he say?"))
    _, answer = await browser.said(conversation)
    assert answer[2] == "withheld"


@pytest.mark.parametrize("text", HARMLESS)
def test_words_that_only_look_so_stay(text):
    assert list(found_in(text)) == []


def test_every_way_to_cut_an_answer_gives_the_same():
    text = "So a shit, Scheißtag and 他妈的! Classy; нахуя. मादरचोद"
    whole = "So a s***, S*** and 他***! Classy; н***. म***"
    for size in range(1, len(text) + 1):
        screens = AnswerScreens(AnswerContext())
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        shown = "".join([*map(screens.feed, parts), screens.feed("", last=True)])
        assert shown == whole, size


def test_a_setting_names_the_languages(configure):
    configure(GUARDRAILS_PROFANITY='["de"]')
    text = "Scheiße, fuck."
    assert [text[start:end] for start, end in found_in(text)] == ["Scheiße"]
    configure(GUARDRAILS_PROFANITY="[]")
    assert list(found_in(text)) == []


def test_every_listed_word_is_found():
    listed = [
        one.rstrip("*")
        for line in FILE.read_text(encoding="utf-8").splitlines()
        if not line.startswith(("#", "["))
        for one in line.split()
    ]
    assert len(listed) > 300
    assert [one for one in listed if not list(found_in(f"so {one}, then"))] == []
