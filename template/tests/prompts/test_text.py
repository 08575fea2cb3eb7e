import pytest

from app.prompts.text import PromptInvalid, PromptUnusable, checked, diff, rendered

SECRETS = {"today": "Monday", "secret": "s3cret"}


def test_a_value_is_put_in_once_and_never_read_as_a_place():
    shown = rendered("{{today}} and {{ today }}", ("today",), {"today": "{{secret}}"} | {})
    assert shown == "{{secret}} and {{secret}}"


@pytest.mark.asvs("1.3.7")
@pytest.mark.parametrize(
    "text",
    [
        "{{ today.__class__ }}",
        "{{ 7 * 7 }}",
        "{{ cycler() }}",
        "{{ today | upper }}",
        "{{",
        "ends with }}",
        "{{ {{today}} }}",
    ],
)
def test_nothing_but_a_name_stands_between_braces(text):
    with pytest.raises(PromptInvalid):
        checked(text, ["today"])


def test_what_is_no_place_stays_as_it_is():
    text = 'Answer as JSON: {"a": {"b": 1}}'.replace("}}", "} }") + " {% if x %} ${HOME} %s"
    assert rendered(text, checked(text, []), {}) == text


def test_a_variable_that_nobody_offers_is_refused_on_saving():
    with pytest.raises(PromptInvalid, match="It has: today"):
        checked("For {{customer}} on {{today}}", ["today"])
    assert checked("Hello", ["today"]) == ()


def test_a_value_that_is_missing_is_an_error_and_never_an_empty_place():
    with pytest.raises(PromptUnusable, match="today"):
        rendered("On {{today}}", ("today",), {"secret": "x"})
    with pytest.raises(PromptUnusable):
        rendered("On {{secret}}", ("today",), SECRETS)


def test_a_diff_shows_what_changed_and_a_little_around_it():
    before = "\n".join(f"line {n}" for n in range(20))
    after = before.replace("line 2\n", "").replace("line 15", "line fifteen")
    shown = [(one.kind, one.text) for one in diff(before, after)]
    assert ("removed", "line 2") in shown
    assert ("removed", "line 15") in shown
    assert ("added", "line fifteen") in shown
    assert ("gap", "…") in shown
    assert ("same", "line 9") not in shown
