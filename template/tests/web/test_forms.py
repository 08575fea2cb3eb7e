"""Forms: a sentence for each mistake, and no secret comes back."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import httpx2
import pytest
from pydantic import BaseModel, EmailStr, Field, SecretStr, field_validator, model_validator
from starlette.requests import Request

from app.web.forms import Form, read
from tests.web.gallery import TOKEN


class Colour(StrEnum):
    RED = "red"


class Everything(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=5)] = "Ada"
    email: EmailStr | None = None
    age: Annotated[int, Field(ge=18, lt=100)] | None = None
    price: float | None = None
    birthday: date | None = None
    role: Literal["member", "admin"] = "member"
    colour: Colour | None = None
    news: bool
    topics: list[str] = []
    notes: str | None = None
    word: str | None = Field(None, alias="the-word", pattern="^[a-z]+$")

    @field_validator("notes")
    @classmethod
    def _no_shouting(cls, value: str | None) -> str | None:
        if value and value.isupper():
            raise ValueError("Please do not shout.")
        return value


class Secrets(BaseModel):
    password: SecretStr
    current: SecretStr
    recovery_code: str
    name: str
    seats: int

    @model_validator(mode="after")
    def _differ(self) -> "Secrets":
        if self.password == self.current:
            raise ValueError("Choose a password that is new.")
        return self


async def sent(model: type[BaseModel], *pairs: tuple[str, str]) -> Form[Any]:
    body = urlencode(pairs).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    return await read(Request(scope, receive), model)


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("name", "A", "Use at least 2 characters."),
        ("name", "Adalbert", "Use at most 5 characters."),
        ("email", "ada@", "Enter an e-mail address, like name@example.com."),
        ("age", "ten", "Enter a whole number."),
        ("age", "17", "Enter 18 or more."),
        ("age", "100", "Enter a number below 100."),
        ("price", "cheap", "Enter a number."),
        ("birthday", "yesterday", "Enter a date, like 2026-01-31."),
        ("role", "root", "Choose one of the options."),
        ("colour", "blue", "Choose one of the options."),
        ("news", "perhaps", "Choose yes or no."),
        ("notes", "HELLO", "Please do not shout."),
    ],
)
async def test_a_mistake_is_told_in_a_sentence_that_repeats_nothing(
    field: str, typed: str, sentence: str
) -> None:
    form = await sent(Everything, (field, typed))

    assert form.data is None
    assert form.errors == {field: sentence}
    assert form.values[field] == typed


async def test_a_valid_form_has_data_and_no_errors() -> None:
    form = await sent(
        Everything,
        ("name", "  Bob "),
        ("age", "40"),
        ("topics", "a"),
        ("topics", "b"),
        ("news", "true"),
        ("notes", "one\r\ntwo"),
        ("colour", "red"),
        ("csrf_token", "x"),
        ("unknown", "x"),
    )

    assert form.errors == {}
    assert form.data == Everything(
        name="Bob", age=40, topics=["a", "b"], news=True, notes="one\ntwo", colour=Colour.RED
    )


async def test_fields_left_empty_count_as_not_sent() -> None:
    form = await sent(Everything, ("email", ""), ("age", " "), ("name", ""))

    assert form.data == Everything(news=False)


async def test_a_required_field_left_empty_is_asked_for() -> None:
    form = await sent(Secrets, ("name", "  "))

    assert form.errors == dict.fromkeys(
        ["password", "current", "recovery_code", "name", "seats"], "Please fill this in."
    )


async def test_an_alias_is_read_and_told_by_the_name_of_the_field() -> None:
    good = await sent(Everything, ("the-word", "hello"))
    bad = await sent(Everything, ("the-word", "HELLO1"))

    assert good.data is not None
    assert good.data.word == "hello"
    assert bad.errors == {"word": "This does not have the expected form."}


async def test_passwords_and_codes_are_never_filled_in_again() -> None:
    form = await sent(
        Secrets,
        ("password", " spaces stay "),
        ("current", "old"),
        ("recovery_code", "1234"),
        ("name", "Ada"),
        ("seats", "x"),
    )

    assert form.values == {"name": "Ada", "seats": "x"}
    assert "spaces" not in repr(form)


@pytest.mark.asvs("6.2.8")
async def test_a_password_is_taken_as_it_was_typed() -> None:
    pairs = [("current", "old"), ("recovery_code", "1"), ("name", "Ada"), ("seats", "1")]
    form = await sent(Secrets, ("password", " spaces stay "), *pairs)

    assert form.data is not None
    assert form.data.password.get_secret_value() == " spaces stay "


async def test_a_mistake_of_the_whole_form_stands_above_it() -> None:
    pairs = [("recovery_code", "1"), ("name", "Ada"), ("seats", "1")]
    form = await sent(Secrets, ("password", "same"), ("current", "same"), *pairs)

    assert form.errors == {"": "Choose a password that is new."}


async def test_what_only_the_service_knows_can_be_added() -> None:
    form = await sent(Everything)

    form.refuse("This address is taken.", "email")

    assert form.data is None
    assert form.errors == {"email": "This address is taken."}


async def test_a_page_shows_the_mistakes_and_keeps_what_was_typed(
    pages: httpx2.AsyncClient,
) -> None:
    body = {"name": "Ada", "email": "<i>", "password": "hunter2-hunter2", "csrf_token": TOKEN}

    response = await pages.post("/enquiry", data=body)

    assert response.status_code == 422
    assert "Enter an e-mail address, like name@example.com." in response.text
    assert 'value="Ada"' in response.text
    assert 'value="&lt;i&gt;"' in response.text
    assert "hunter2" not in response.text
