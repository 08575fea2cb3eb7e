"""Forms: what was typed, read into a pydantic model, with a sentence for each mistake.

form = await read(request, SignUp)
if form.data is None:
    return render(request, "auth/sign_up.html", form=form, status=422)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from starlette.requests import Request

Model = TypeVar("Model", bound=BaseModel)

FIELDS_AT_MOST = 200
WHOLE_FORM = ""
# Not tokens: those are counted.
SECRET_NAME = re.compile(r"password|passphrase|secret|token(?!s)|pin$|code$", re.IGNORECASE)


@dataclass
class Form(Generic[Model]):
    """`data` when everything is valid; otherwise `errors` by field, "" for the form itself."""

    data: Model | None = None
    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    """What to fill the form with again; never a password or a code."""

    def refuse(self, sentence: str, name: str = WHOLE_FORM) -> "Form[Model]":
        """Add what only the service could know, such as a wrong password."""
        self.errors[name] = sentence
        self.data = None
        return self


def blank(**values: Any) -> Form[Any]:
    """A form that nobody has sent yet."""
    return Form(values=values)


async def read(request: Request, model: type[Model]) -> Form[Model]:
    """Validate the form in the request's body. Fields left empty count as not sent."""
    sent = await request.form(max_files=0, max_fields=FIELDS_AT_MOST)
    typed: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        given = [_tidy(one, info) for one in sent.getlist(key) if isinstance(one, str)]
        filled = [one for one in given if one]
        if _is(info, list, set, tuple, frozenset):
            # Boxes send one value each, a text area one a line.
            lines = [line.strip() for one in filled for line in one.splitlines()]
            typed[key] = [line for line in lines if line]
        elif filled:
            typed[key] = filled[-1]
        elif _is(info, bool):
            typed[key] = False  # a box that is not ticked is not sent at all
    values = {
        name: typed[info.alias or name]
        for name, info in model.model_fields.items()
        if (info.alias or name) in typed and not _secret(name, info)
    }
    try:
        return Form(model.model_validate(typed), {}, values)
    except ValidationError as error:
        return Form(None, sentences(error, model), values)


def sentences(error: ValidationError, model: type[BaseModel]) -> dict[str, str]:
    """The first mistake of each field as a sentence that never repeats what was typed."""
    names = {info.alias: name for name, info in model.model_fields.items() if info.alias}
    found: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False):
        place = str(item["loc"][0]) if item["loc"] else WHOLE_FORM
        found.setdefault(names.get(place, place), _sentence(item["type"], item.get("ctx", {})))
    return found


SENTENCES = {
    "missing": "Please fill this in.",
    "string_too_short": "Use at least {min_length} characters.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_pattern_mismatch": "This does not have the expected form.",
    "too_short": "Choose at least {min_length}.",
    "too_long": "Choose at most {max_length}.",
    "greater_than": "Enter a number above {gt}.",
    "greater_than_equal": "Enter {ge} or more.",
    "less_than": "Enter a number below {lt}.",
    "less_than_equal": "Enter {le} or less.",
    "multiple_of": "Enter a multiple of {multiple_of}.",
    "enum": "Choose one of the options.",
    "literal_error": "Choose one of the options.",
}
KINDS = {
    "int": "Enter a whole number.",
    "float": "Enter a number.",
    "decimal": "Enter a number.",
    "finite": "Enter a number.",
    "date": "Enter a date, like 2026-01-31.",
    "datetime": "Enter a date and a time.",
    "time": "Enter a time, like 09:30.",
    "url": "Enter a web address that starts with https://.",
    "uuid": "This is not an id.",
    "bool": "Choose yes or no.",
}


def _sentence(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        # pydantic's own check of e-mail addresses gives a reason; a validator gives its exception.
        if "reason" in context:
            return "Enter an e-mail address, like name@example.com."
        return str(context["error"])
    if (known := SENTENCES.get(kind)) is not None:
        sentence = known.format_map(context)
        return re.sub(r"\b1 characters\b", "1 character", sentence)
    return KINDS.get(kind.partition("_")[0], "This is not valid.")


def _tidy(text: str, info: FieldInfo) -> str:
    """Secrets stay as typed; elsewhere outer spaces and Windows line ends are accidents."""
    if _is(info, SecretStr, SecretBytes):
        return text
    return text.replace("\r\n", "\n").strip()


def _secret(name: str, info: FieldInfo) -> bool:
    return _is(info, SecretStr, SecretBytes) or bool(SECRET_NAME.search(name))


def _is(info: FieldInfo, *kinds: type) -> bool:
    return any(
        isinstance(one, type) and issubclass(one, kinds) and not issubclass(one, Enum)
        for one in _types(info.annotation)
    )


def _types(annotation: Any) -> list[Any]:
    """The classes behind an annotation: of `list[str] | None`, list and NoneType."""
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        return [kind for one in get_args(annotation) for kind in _types(one)]
    return [origin or annotation]
