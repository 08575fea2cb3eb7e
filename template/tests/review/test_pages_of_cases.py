"""A case is read by a person before it is saved."""

import re

from tests.review.test_cases import kept
from tests.review.test_pages import HTML, post


async def test_the_page_shows_it_before_it_is_saved(office, corrected):
    page = await office.reviewer.client.get(f"/review/{corrected}", headers=HTML)
    assert f'href="/review/{corrected}/case"' in page.text
    page = (await office.reviewer.client.get(f"/review/{corrected}/case", headers=HTML)).text
    assert "Taken out: email, person, phone." in page
    assert "I am [PERSON_1], [EMAIL_1]." in page
    for form, status in (
        ({"question": "", "text": "x"}, 422),
        ({"question": "Q?", "text": "A."}, 303),
    ):
        sent = form | {"check": "equals", "passages": "One.\n\nTwo."}
        answer = await post(office.reviewer, f"/review/{corrected}/case", **sent)
        assert answer.status_code == status
    [case] = (await office.reviewer.client.get("/api/review/cases")).json()["cases"]
    assert (case["context"], case["expect"]) == (["One.", "Two."], {"equals": "A."})
    page = (await office.reviewer.client.get("/review/cases", headers=HTML)).text
    assert "Download for assistant.system" in page
    await post(office.reviewer, f"/review/cases/{case['id']}/delete")
    assert "No case yet" in (await office.reviewer.client.get("/review/cases", headers=HTML)).text


async def test_of_many_the_page_shows_the_newest_and_a_way_to_the_others(office):
    await kept(office, [f"Question {number}?" for number in range(51)])
    client = office.reviewer.client
    first = (await client.get("/review/cases", headers=HTML)).text
    assert "Question 50?" in first
    assert "Question 0?" not in first
    [older] = re.findall(r'href="(/review/cases\?before=[^"]+)"', first)
    second = (await client.get(older, headers=HTML)).text
    assert "Question 0?" in second
    assert "Question 1?" not in second
    assert 'href="/review/cases"' in second
    assert "Download for assistant.system" in second
