"""Prompt files of the project, `app/<module>/prompts/<name>.md`, and their way into the registry.

    ---
    purpose: What the assistant is told before each conversation.
    variables: today
    ---
    You are ...

Where answers are data, `shape: app.orders.reading:Order` names the class that they fill. A changed
file is a new version. It becomes the live one only while no person has made another one live.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

import app
from app.audit import service as audit
from app.core.errors import CannotStart
from app.core.ids import uuid7
from app.modules import MODULES
from app.prompts import service
from app.prompts.models import LABELS, Prompt, PromptLabel, PromptMove, PromptVersion
from app.prompts.text import PromptInvalid, checked, digest
from app.users import operators

APP = Path(app.__file__).parent
FENCE = "---\n"
RATIONALE = "From the project's files."
LOCK = (8080, 5)


@dataclass(frozen=True, slots=True)
class PromptFile:
    name: str
    purpose: str
    variables: tuple[str, ...]
    text: str
    shape: str = ""

    @property
    def digest(self) -> str:
        return digest(self.text)


def files(root: Path = APP) -> Iterator[PromptFile]:
    """The prompt files of all modules; `assistant/prompts/system.md` is `assistant.system`."""
    for module in MODULES:
        for path in sorted((root / module / "prompts").glob("*.md")):
            try:
                yield read(f"{module}.{path.stem}", path.read_text(encoding="utf-8"))
            except PromptInvalid as error:
                raise CannotStart(f"{path.relative_to(root)}: {error.detail}") from error


def read(name: str, content: str) -> PromptFile:
    told: dict[str, str] = {}
    if content.startswith(FENCE):
        head, _, content = content.removeprefix(FENCE).partition(f"\n{FENCE}")
        for line in head.splitlines():
            key, _, value = line.partition(":")
            told[key.strip()] = value.strip()
    names = tuple(sorted(told.get("variables", "").replace(",", " ").split()))
    text = content.strip()
    checked(text, names)
    return PromptFile(name, told.get("purpose", ""), names, text, told.get("shape", ""))


def shape(name: str) -> type[BaseModel] | None:
    """The class that answers to this prompt must fill, as `answer_as` asks for it; none: text.

    Raises `CannotStart` for one that is not there.
    """
    module, _, stem = name.partition(".")
    path = APP / module / "prompts" / f"{stem}.md"
    wanted = read(name, path.read_text(encoding="utf-8")).shape if path.is_file() else ""
    if not wanted:
        return None
    place, _, called = wanted.partition(":")
    try:
        found = getattr(import_module(place), called)
    except (ImportError, ValueError, AttributeError) as error:
        raise CannotStart(
            f"{path.relative_to(APP)}: the shape {wanted} is not there. Write it as"
            " app.orders.reading:Order."
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise CannotStart(f"{path.relative_to(APP)}: the shape {wanted} is no pydantic model.")
    return found


async def seed(db: AsyncSession, found: list[PromptFile]) -> None:
    """Bring files into the registry that it does not know yet; as app_auth."""
    await db.execute(select(func.pg_advisory_xact_lock(*LOCK)))
    for file in found:
        prompt = await db.scalar(select(Prompt).where(Prompt.name == file.name))
        if prompt is None:
            prompt = Prompt(id=uuid7(), name=file.name)
            db.add(prompt)
        if prompt.variables != list(file.variables) or prompt.purpose != file.purpose:
            prompt.variables, prompt.purpose = list(file.variables), file.purpose
        await db.flush()
        await _seed(db, prompt, file)


async def _seed(db: AsyncSession, prompt: Prompt, file: PromptFile) -> None:
    versions = select(PromptVersion).where(PromptVersion.prompt_id == prompt.id)
    # Also a version that a person wrote: who copies it back into the file makes no new one.
    if await db.scalar(versions.where(PromptVersion.digest == file.digest).limit(1)):
        return
    last = await db.scalar(
        select(func.max(PromptVersion.number)).where(PromptVersion.prompt_id == prompt.id)
    )
    made = PromptVersion(
        id=uuid7(),
        prompt_id=prompt.id,
        number=(last or 0) + 1,
        text=file.text,
        variables=list(checked(file.text, file.variables)),
        rationale=RATIONALE,
        digest=file.digest,
        from_file=True,
    )
    db.add(made)
    await db.flush()
    labels = {
        one.label: one
        for one in await db.scalars(select(PromptLabel).where(PromptLabel.prompt_id == prompt.id))
    }
    for label in LABELS:
        held = labels.get(label)
        if held is None:
            held = PromptLabel(id=uuid7(), prompt_id=prompt.id, label=label, by_file=True)
            db.add(held)
        elif not held.by_file:
            continue  # What people chose stays.
        held.version_id, gate = made.id, "file" if label == "live" else ""
        if label == "live":
            await service.end_experiments(db, prompt.id)
        db.add(
            PromptMove(
                id=uuid7(),
                prompt_id=prompt.id,
                label=label,
                version_id=made.id,
                reason=RATIONALE,
                gate=gate,
            )
        )
    await db.flush()
    await audit.record(
        db,
        "prompt.seeded",
        organization_id=await operators.organization_id(db),
        target=prompt.name,
        detail={"version": made.number},
    )
