"""A correction becomes a case for evaluations, without what says who someone is."""

import asyncio

import pytest
import yaml
from sqlalchemy import text

from app.core import db
from app.evals import cases as evals
from app.review.deidentifying import Deidentifier
from app.review.models import ReviewCase
from tests.review.conftest import make_office, recorded


async def kept(office, questions):
    """Cases of these questions, as if each had been saved."""
    ours = office.reviewer.someone.organization_id
    origin = {"corrected": "", "feature": "assistant", "removed": []}
    async with db.transaction(organization_id=ours) as session:
        for question in questions:
            values = {"question": question, "expect": {"equals": "A."}, "origin": origin}
            values |= {"prompt": "assistant.system", "context": []}
            session.add(ReviewCase(organization_id=ours, **values))
            await session.flush()


async def test_one_press_proposes_a_case_and_a_person_saves_it(office, corrected, tmp_path):
    client = office.reviewer.client
    path = f"/api/review/{corrected}/case"
    proposed = (await client.get(path)).json()
    assert proposed["question"] == (
        "I am [PERSON_1], [EMAIL_1]. May [PERSON_2] call [PHONE_1] on Monday?"
    )
    assert proposed["text"] == "Write to [EMAIL_1], [PERSON_1]."
    assert proposed["removed"] == ["EMAIL", "PERSON", "PHONE"]
    # Nothing is saved by looking.
    assert (await client.get("/api/review/cases")).json()["cases"] == []
    # What the person types back in is taken out once more.
    changed = {"question": f"{proposed['question']} bob@example.com?", "check": "contains"}
    answer = await client.put(path, json=changed | {"text": "Write"})
    assert answer.status_code == 200, answer.text
    again = await client.put(path, json=changed | {"text": "write to", "context": ["From page 1."]})
    [case] = (await client.get("/api/review/cases")).json()["cases"]
    assert case["id"] == answer.json()["id"] == again.json()["id"]
    assert "bob@" not in case["question"]
    assert case["expect"] == {"contains": "write to"}
    assert case["origin"]["feature"] == "assistant"
    assert case["origin"]["removed"] == ["EMAIL", "PERSON", "PHONE"]
    assert case["question"].endswith("on Monday? [EMAIL_2]?")
    # The file is one that evaluations read,
    exported = await client.get("/api/review/cases.yml")
    assert exported.headers["content-type"].startswith("application/yaml")
    (tmp_path / "corrections.yml").write_text(exported.text, encoding="utf-8")
    [suite] = evals.suites(tmp_path, prompt="assistant.system")
    [read] = suite.cases
    assert (read.input, read.expect.contains) == (case["question"], ["write to"])
    assert [one.text for one in read.context] == ["From page 1."]
    # which says where each comes from and of nobody who they are.
    assert case["origin"]["item"] in read.source
    assert f"call {case['origin']['call']}" in read.source
    for word in ("ada@", "Ada", "Grace", "901820", "bob"):
        assert word not in exported.text
    assert yaml.safe_load(exported.text)["suite"] == "corrections"
    for action, count in (("review.case_saved", 2), ("review.cases_exported", 1)):
        assert len(await recorded(office.reviewer, action)) == count
    assert (await client.delete(f"/api/review/cases/{case['id']}")).status_code == 204
    assert (await client.delete(f"/api/review/cases/{case['id']}")).status_code == 404
    assert (await client.get("/api/review/cases.yml")).status_code == 404


async def test_a_case_that_is_sent_twice_at_once_is_one(office, corrected):
    path = f"/api/review/{corrected}/case"
    case = {"question": "Q?", "text": "A."}
    sent = [office.reviewer.client.put(path, json=case) for _ in range(4)]
    assert {one.status_code for one in await asyncio.gather(*sent)} == {200}
    assert len((await office.reviewer.client.get("/api/review/cases")).json()["cases"]) == 1


async def test_others_make_none_of_it(office, corrected, browser_of, model):
    stranger = (await make_office(browser_of)).other.client
    path = f"/api/review/{corrected}/case"
    case = {"question": "Q?", "text": "A."}
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.put(path, json=case)).status_code == 404
    assert (await office.asker.client.get(path)).status_code == 403
    assert (await office.reviewer.client.put(path, json=case)).status_code == 200
    assert (await stranger.get("/api/review/cases")).json()["cases"] == []
    assert (await stranger.get("/api/review/cases.yml")).status_code == 404
    async with db.transaction(organization_id=office.asker.someone.organization_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM review_cases")) == 1
    # Only what was corrected says what is right.
    await office.answer()
    approved = (await office.resolved("approved")).json()["id"]
    refused = await office.reviewer.client.get(f"/api/review/{approved}/case")
    assert refused.json()["type"] == "/problems/not-corrected"
    empty = await office.reviewer.client.put(path, json={"question": " ", "text": "A."})
    assert empty.status_code == 422


def test_a_private_key_goes_whole_whether_or_not_its_end_was_kept():
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIHq9\nawEHoUQDQgAE"
    assert Deidentifier([], "Ada King").read(f"Mine is {key}") == "Mine is [SECRET_1]"


def test_the_same_data_has_the_same_placeholder():
    reader = Deidentifier(["Grace Hopper", "Al"], "Ada King")
    assert (
        reader.read("grace hopper and Al met ADA at 10.")
        == "[PERSON_1] and Al met [PERSON_2] at 10."
    )
    assert reader.read("Grace Hopper, Kingdom, king") == "[PERSON_1], Kingdom, [PERSON_3]"
    assert reader.read("DE89 3704 0044 0532 0130 00") == "[ACCOUNT_1]"
    key = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    assert reader.read(f"key {key}") == "key [SECRET_1]"
    assert reader.kinds == ["ACCOUNT", "PERSON", "SECRET"]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("我是王小明，请问？", "我是[PERSON_1]，请问？"),  # No blank tells where a name ends.
        ("请转告王小明的经理。", "请转告[PERSON_1]的经理。"),
        ("山田さんに聞いて", "[PERSON_1]さんに聞いて"),
        ("أنا محمد العربي.", "أنا [PERSON_1]."),
        ("I am Zoe\u0308 Mu\u0308ller.", "I am [PERSON_1]."),  # As macOS writes it.
        ("ZOË MÜLLER here", "[PERSON_1] here"),
        ("Zoë Müllerin", "[PERSON_1] Müllerin"),
        ("Annas Zoëtrop", "Annas Zoëtrop"),
    ],
)
def test_names_are_found_in_other_scripts_too(said, left):
    names = ["王小明", "山田", "محمد العربي", "Zoë Müller", "Li"]
    assert Deidentifier(names, "Zoë Müller").read(said) == left


async def test_cases_come_in_pages_the_newest_first(office):
    names = [f"Question {number}?" for number in range(5)]
    await kept(office, names)
    client, page, seen = office.reviewer.client, {"limit": 2}, []
    while page:
        answer = (await client.get("/api/review/cases", params=page)).json()
        seen.append([one["question"] for one in answer["cases"]])
        page = answer["next"] and {"limit": 2, "before": answer["next"]}
    newest = names[::-1]
    assert seen == [newest[:2], newest[2:4], newest[4:]]
