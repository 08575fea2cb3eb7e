"""A folder under app/ is a module. What it offers is told by the files it has.

endpoints.py  JSON API             jobs.py         background work
pages.py      HTML pages           commands.py     command line
models.py     tables               permissions.py  who may do what
settings.py   its own settings     lifespan.py     what runs beside the app
health.py     what it depends on   migrations/     the history of its tables
bearer.py     credentials it gives out for programs
admission.py  looks at whom a route lets in
factor.py     a second factor      *_card.py       what it puts on pages of auth
call_step.py  a step of model calls  context_source.py  what documents say
own_provider.py  features that a model of their own answers
body_limit.py paths with larger bodies
tools.py      what a model may do in someone's name
flags.py      flags that it asks for
reviewed.py   where an answer stands that people looked at
approval_decided.py  what happens when it is decided whether a tool may run
gauges.py     figures of its rows, for Prometheus
switched.py   what happens when a flag is set
vector_store.py  vectors of texts that were seen before
kept_files.py files that stand outside the database, for backups
restored.py   what is wrong with what a backup brought back
way_in.py     whether someone can sign in by what it keeps
opens.py      what of it opens an account beside the password
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

import app

MODULES = sorted(
    module.name for module in iter_modules(app.__path__) if module.ispkg and module.name != "core"
)


def has(module: str) -> bool:
    """Whether this project has a module: a folder that Python's cache left behind is none."""
    return module in MODULES


@cache
def parts(name: str) -> tuple[ModuleType, ...]:
    """Import `app.<module>.<name>` from every module that has one."""
    paths = [f"app.{module}.{name}" for module in MODULES]
    return tuple(import_module(path) for path in paths if find_spec(path))
