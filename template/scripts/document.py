"""Write the pages that follow from the code: docs/settings.md, docs/access.md and others.

python scripts/document.py            after a change of settings, routes or permissions
"""

import ast
import gc
import inspect
import os
import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
# Looking for garbage, of which there is none, took a fifth of the time.
gc.disable()
os.environ.setdefault("APP_ENV", "test")

from pydantic import AliasChoices  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402

from app.access.access import Access, Public, markers, routes  # noqa: E402
from app.access.roles import Role, closed_to_keys, granted, known  # noqa: E402
from app.core import data  # noqa: E402
from app.core.data import Level  # noqa: E402
from app.core.settings import LOADED, ModuleSettings, Settings  # noqa: E402
from app.main import create_app  # noqa: E402
from app.modules import has, parts  # noqa: E402
from app.tools.registry import tools  # noqa: E402
from scripts.inventory import components_page, logs_page  # noqa: E402


def settings_page() -> str:
    """Every setting of every module, with its default and what its docstring says."""
    lines = [
        "# Settings",
        "",
        "All of them are environment variables; on a laptop they may stand in `.env`, which",
        "`make setup` writes. Defaults suit a laptop; production names what it cannot accept.",
        "Written by `scripts/document.py`.",
    ]
    module = ""
    for kind in settings_kinds():
        if module != (module := kind.__module__.split(".")[1]):
            lines += ["", f"## {module}", "", "| Variable | Default | |", "| --- | --- | --- |"]
        texts = field_texts(kind)
        for name, info in kind.model_fields.items():
            lines.append(
                f"| `{variable(kind, name, info)}` | {default(info)} | {texts.get(name, '')} |"
            )
    return "\n".join(lines) + "\n"


def settings_kinds() -> list[type[ModuleSettings]]:
    parts("settings")
    kinds = [one for one in ModuleSettings.__subclasses__() if one.__module__.startswith("app.")]
    return sorted(kinds, key=lambda one: (one.__module__ != "app.core.settings", one.__module__))


def variable(kind: type[ModuleSettings], name: str, info: FieldInfo) -> str:
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        alias = next(choice for choice in alias.choices if isinstance(choice, str))
    return (str(alias) if alias else f"{kind.model_config.get('env_prefix', '')}{name}").upper()


def default(info: FieldInfo) -> str:
    # Some follow another setting: its default counts, not what this machine sets.
    before = LOADED.get(Settings)
    LOADED[Settings] = Settings.model_construct(app_env="test")
    try:
        value = info.get_default(call_default_factory=True)
    finally:
        LOADED.pop(Settings)
        LOADED.update({Settings: before} if before else {})
    if "Secret" in repr(info.annotation):
        return ""
    if isinstance(value, Path):
        value = (
            value.relative_to(ROOT).as_posix() if value.is_relative_to(ROOT) else value.as_posix()
        )
    return "" if value in ("", None, []) else f"`{value}`"


def field_texts(kind: type) -> dict[str, str]:
    """The docstring below each field, which Python itself does not keep; also inherited ones."""
    found: dict[str, str] = {}
    for one in reversed([one for one in kind.__mro__ if one.__module__.startswith("app.")]):
        [body] = ast.parse(inspect.getsource(one)).body
        assert isinstance(body, ast.ClassDef)
        found |= {
            field.target.id: " ".join(str(below.value.value).split())
            for field, below in pairwise(body.body)
            if isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        }
    return found


def access_page() -> str:
    """Every route and who may call it, and what each permission opens to whom."""
    lines = [
        "# Who may call what",
        "",
        "A route that does not say who may call it stops the app from starting. `again` means that",
        "the person must have proved who they are a short while ago; `key` that an API key can",
        "carry the permission there. A custom role opens what it names. Written by",
        "`scripts/document.py`.",
        "",
        f"| Route | Permission | {' | '.join(Role)} | again | key |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = set()
    for route in routes(create_app()):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            rows.add(access_row(f"`{method} {route.path}`", markers(route)))
    lines += sorted(rows)
    lines += ["", "## Permissions", "", f"| Permission | {' | '.join(Role)} | key |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for name in sorted(known()):
        key = "" if name in closed_to_keys() else "yes"
        lines.append(f"| `{name}` | {' | '.join(_may({name}))} | {key} |")
    return "\n".join(lines) + "\n"


def access_row(route: str, found: list[object]) -> str:
    needs = [one for one in found if isinstance(one, Access)]
    if shows := next((one.shows for one in found if isinstance(one, Public) and one.shows), ""):
        return f"| {route} | {shows} | | | | | |"
    if not needs:
        return f"| {route} | anyone | yes | yes | yes | | |"
    names = ", ".join(f"`{one.permission}`" for one in needs)
    may = _may({one.permission for one in needs})
    again = "yes" if any(one.recent for one in needs) else ""
    key = "yes" if all(one.opens_to_keys for one in needs) else ""
    return f"| {route} | {names} | {' | '.join(may)} | {again} | {key} |"


def _may(needs: set[str]) -> list[str]:
    return ["yes" if needs <= granted(role) else "" for role in Role]


def outside_page() -> str:
    """Every server that a module may talk to, with what it is sent."""
    lines = [
        "# Whom the app talks to",
        "",
        "Requests come in from your proxy, over HTTP. Out of itself the app talks to these servers",
        "and to no others; each is named by a setting, and only while it is in use. Written by",
        "`scripts/document.py` from `outside()` of each module's settings.",
        "",
        "| Setting | Service | Is used for, and is sent |",
        "| --- | --- | --- |",
    ]
    for kind in settings_kinds():
        lines += [f"| `{one.setting}` | {one.name} | {one.gets} |" for one in kind().outside()]
    return "\n".join([*lines, "", OUTSIDE_RULES])


OUTSIDE_RULES = """\
- Nothing that people type is an address to call. What a server answers may name another one, as
  the discovery document of a sign-in provider does: it is called when a setting names it, too.
- The outbound client compares scheme, host and port, follows no redirect, and in production calls
  no private network unless `OUTBOUND_PRIVATE_HOSTS` names the host (`tests/core/test_outbound.py`).
  Model provider, mail and S3 server are reached at their setting's address and nowhere else. For
  models at Vertex AI and Bedrock the cloud's own library fetches credentials from where the cloud
  gives them out, such as the machine's metadata server.
- Production does not start when a server on another machine would be reached without TLS or
  without a look at its certificate: `https://`, `MAIL_TLS`, and `sslmode=verify-full` with
  `sslrootcert=system` or the file of your authority. Hosts in `UNENCRYPTED_HOSTS` are let
  through: name only what stands in a network of yours (`tests/core/test_outside.py`).
- A module of yours that calls a server returns it from `outside()` of its settings and calls
  `core.outbound.request(..., of=settings)`. No other file opens connections; a test looks for it.
- Allow the same servers in the firewall of your host: that holds for code that is not the app's.
"""


def data_page() -> str:
    """What each table holds, by level, and how long."""
    files = "; files are encrypted besides (`tests/storage`)" if has("storage") else ""
    lines = [DATA_RULES.replace("{files}", files), "", f"| Table | {' | '.join(Level)} | kept |"]
    lines += [f"| --- | {'--- | ' * len(Level)}--- |"]
    for table, declared in data.tables():
        assert declared, f"{table.name}: say `__data__ = holds(...)`, see app/core/data.py"
        named = [
            ", ".join(one.name for one in table.columns if declared.levels.get(one.name) == level)
            for level in Level
        ]
        kept = {
            data.ACCOUNT: "with the account",
            data.ORGANIZATION: "with the organisation",
            data.INSTALLATION: "with the installation",
        }
        end = kept.get(declared.kept, f"until `{declared.kept}`")
        end = "for ever" if declared.kept == data.FOREVER else end
        lines.append(f"| `{table.name}` | {' | '.join(named)} | {end} |")
    return "\n".join(lines) + "\n"


DATA_RULES = """\
# What is kept, and how it is protected

Every column has one of four levels; its model says which (`app/core/data.py`), and a test fails for
one that nobody has thought about. Ids, times, numbers and switches are plain and not listed. What
stands here is checked for every column by `tests/core/test_data.py`, unless another test is named.
Written by `scripts/document.py`.

| Level | Means | Protection |
| --- | --- | --- |
| plain | says nothing about anybody and opens nothing | that of the whole database |
| personal | who someone is, where, how they are reached | behind forced row-level security; in no log line and no audit event; no answer is cached (`tests/core/test_http.py`) |
| words | what people write, and what is answered | as personal{files} |
| credential | opens something, or is what a secret is compared with | as personal; only a digest, an argon2id hash or encrypted with AES-256-GCM (keys.md); no answer has a field for it; hashes and what is encrypted are closed to the role of ordinary requests |

Integrity: encrypted values are bound to row and column, so that none can be moved
(`tests/core/test_crypto.py`), and the audit log is a chain that nobody can change
(`tests/audit/test_walls.py`). Who may read what: docs/access.md. The levels are the app's; the laws
and contracts that you are under may ask for more, such as an encrypted disk, a place, or a shorter
time.

A row ends with its account, with its organisation, or by the scheduled job that is named; for how
long such a job leaves rows is a setting (docs/settings.md)."""  # noqa: E501


def tools_page() -> str:
    """Each tool, with what it asks for and what becomes of it."""
    lines = [
        "# What a model may do",
        "",
        "Every tool, who may use it, and what is at stake (docs/tools.md). Written by",
        "`scripts/document.py`.",
        "",
        "| Tool | Does | Permission | Stakes | Cost | Taints | Takes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in sorted(tools().items()):
        takes = ", ".join(f"`{field}`" for field in one.arguments.model_fields) or "nothing"
        taints = "yes" if one.taints else "no"
        lines.append(
            f"| `{name}` | {one.title} | `{one.permission}` | {one.stakes} | {one.cost} |"
            f" {taints} | {takes} |"
        )
    return "\n".join(lines) + "\n"


PAGES = {
    "settings.md": settings_page,
    "access.md": access_page,
    "security/outside-services.md": outside_page,
    "security/data.md": data_page,
    "security/logs.md": logs_page,
    "security/components.md": components_page,
    "security/tools.md": tools_page,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (ROOT / "docs" / file).write_text(page(), encoding="utf-8", newline="\n")
