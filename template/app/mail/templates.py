"""Mail texts: `app/<module>/mails/<name>.txt`, called `<module>/<name>`.

The first line is `Subject: ...`, the second is empty, the rest is the body. A value that is
missing stops the mail.
"""

import re
from functools import cache
from pathlib import Path

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound

import app
from app.core.settings import get_settings
from app.mail.settings import project_name

APP = Path(app.__file__).parent
SUBJECT = "Subject: "


class UnsafeSubject(ValueError):
    """A subject with a line break could write headers of its own."""


class ModuleLoader(BaseLoader):
    """`auth/reset` is `app/auth/mails/reset.txt`."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        module, _, name = template.partition("/")
        path = APP / module / "mails" / f"{name}.txt"
        if not (module.isidentifier() and path.stem == name and path.is_file()):
            raise TemplateNotFound(template, f"There is no app/{module}/mails/{name}.txt")
        return path.read_text(encoding="utf-8"), str(path), None


def unlinked(name: str) -> str:
    """What a stranger calls themselves, so that no mail program makes a link of a part of it."""
    return re.sub(r"(?<=\S)[.:/@](?=\S)", "\\g<0>\u2060", name)


@cache
def _environment() -> Environment:
    # Plain text needs no escaping: `html.py` escapes the finished body.
    environment = Environment(  # noqa: S701
        loader=ModuleLoader(), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["unlinked"] = unlinked
    environment.globals |= {
        "project_name": project_name(),
        "public_url": get_settings().public_url,
    }
    return environment


@cache
def _parts(name: str) -> tuple[Template, Template]:
    environment = _environment()
    source, _, _ = ModuleLoader().get_source(environment, name)
    first, _, body = source.partition("\n")
    if not first.startswith(SUBJECT):
        raise ValueError(f"The first line of the mail {name} must start with {SUBJECT!r}")
    subject = environment.from_string(first.removeprefix(SUBJECT))
    return subject, environment.from_string(body.lstrip("\n"))


def render(name: str, context: dict[str, object]) -> tuple[str, str]:
    """Subject and body. Raises `UnsafeSubject`."""
    subject_template, body_template = _parts(name)
    subject = subject_template.render(context).strip()
    if not subject.isprintable():
        raise UnsafeSubject(f"The subject of {name} has a line break or control character.")
    return subject, body_template.render(context).strip() + "\n"
