"""A title for a conversation, from what was said in it: an answer as data, to copy from.

The class is what the model must fill. What comes is checked against it, asked for once more when it
does not fit, and then refused; budgets, guards and the switch are those of every call.
"""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from app.access.person import Person
from app.assistant import service
from app.assistant.models import Conversation, Message
from app.core.db import transaction
from app.core.errors import Conflict
from app.llm import port
from app.llm.framing import framed
from app.llm.port import Ask
from app.llm.shapes import answer_as
from app.prompts import registry

FEATURE = "assistant.title"
PROMPT = "assistant.title"
TURNS = 4
MOST_CHARACTERS = 1500
"""Of each message; what a conversation is about is said early."""


class NothingSaid(Conflict):
    """There is nothing yet that a title could be made of."""


class Named(BaseModel):
    """What the model gives: one line."""

    title: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ]


async def name(person: Person, conversation_id: UUID) -> Conversation:
    """Give it the title that a model suggests. No transaction is open while the model answers.

    Raises `NoSuchConversation`, `NothingSaid`, `AnswerNotAsAsked` or what refuses a call.
    """
    ours, theirs = person.organization_id, person.user_id
    async with transaction(organization_id=ours, user_id=theirs) as db:
        await service.conversation(db, conversation_id)
        said, _ = await service.messages(db, conversation_id, turns=TURNS)
    if not said:
        raise NothingSaid("Nothing was said here yet.")
    title = (await answer_as(person, _ask(person, said), Named)).data.title
    async with transaction(organization_id=ours, user_id=theirs) as db:
        return await service.rename(db, conversation_id, title)


def _ask(person: Person, said: Sequence[Message]) -> Ask:
    prompt = registry.use(PROMPT, person)
    told = "\n\n".join(
        framed("answer" if one.role == "assistant" else "said", one.text[:MOST_CHARACTERS])
        for one in said
    )
    messages = [port.Message("system", prompt.text), port.Message("user", told)]
    # Answers may hold words of documents: nobody present has written them.
    return Ask(messages, feature=FEATURE, prompt=prompt.used, tainted=True)
