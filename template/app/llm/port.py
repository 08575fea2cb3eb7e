"""What the gateway and the providers say to each other."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID

import orjson

Role = Literal["system", "user", "assistant", "tool"]

BYTES_PER_TOKEN = 3
TOKENS_AROUND_A_MESSAGE = 4
TOKENS_AROUND_A_TOOL = 24


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool. Nothing of it has been checked."""

    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it."""
    signature: str = ""
    """What the provider wants back with it."""

    @property
    def parsed(self) -> dict[str, Any]:
        """The arguments for a wire that sends objects; empty when they are none."""
        try:
            found = orjson.loads(self.arguments or "{}")
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Message:
    """What was said. With the role `tool` it is the result of a call."""

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    """Of an answer: the tools that it asked for."""
    result_of: ToolCall | None = None
    failed: bool = False
    """Of a result: the tool did not do it, and the text says why."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool that the model may ask for."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """Of its arguments, as JSON Schema."""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The JSON that an answer must be."""

    name: str
    schema: Mapping[str, Any]
    """As every provider takes it."""
    whole: Mapping[str, Any] = field(default_factory=dict)
    """With the limits that not all of them take."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that the person who asks may read."""

    text: str
    title: str
    path: str
    """Where in the document it stands, as people say it: `page 3`."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class PromptUsed:
    """The version of a registered prompt that a call is made with."""

    name: str
    version: int
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What was put into its places; not written down."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller wants from a model. `feature` is what its tokens are booked on."""

    messages: Sequence[Message]
    feature: str
    max_output_tokens: int | None = None
    temperature: float | None = None
    """Left out of the request when None: some models refuse it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request, sent as they are."""
    with_context: bool = False
    """Whether what the person's documents say about the question comes along."""
    passages: Sequence["Passage"] = ()
    """What came along; the step `context` puts it there, or the caller who has it already."""
    tools: Sequence[Offer] = ()
    may_call: bool = True
    """False: the tools stay in the request for what was said before, and none may be called."""
    tainted: bool = False
    """Words are in it that neither the person nor the app has written."""
    reusable: bool = False
    """Whether an earlier answer to the same will do: nothing personal or dear hangs on it."""
    model: str = ""
    """Another model of the same provider, such as one that is evaluated. Empty: as routed."""
    shape: Shape | None = None
    prompt: PromptUsed | None = None
    """Written down with the call."""
    read_by_people: bool = True
    """False: nobody reads the answer as it is, so no guard needs a person to look at it first."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `estimated` when the provider did not tell, and we counted bytes."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    """Part of `input_tokens` that the provider had in its cache."""
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where a quoted sentence stands."""

    path: str
    title: str
    quote: str
    url: str = ""
    """Where to read on, in this app."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Unshown(Delta):
    """The model writes something that is not text, so many bytes of it: a tool's arguments."""

    size: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """The provider's last word on an answer.

    `reason` is `stop`, `length`, `content_filter` or what else the provider says.
    """

    reason: str
    model: str
    usage: Usage | None = None
    sources: tuple[Source, ...] = ()
    unread: frozenset[str] = frozenset()
    """Names of fields with content that nobody here reads yet."""
    calls: tuple[ToolCall, ...] = ()
    """Tools that the model asks for, before it goes on."""
    mean_logprob: float | None = None
    """Of the answer's tokens, where the provider tells it."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model uses a tool; told once when it begins and once with what became of it."""

    id: str
    name: str
    title: str
    state: str
    """running, done, failed, invalid, refused or waiting."""
    reason: str = ""
    approval_id: UUID | None = None

    @property
    def told(self) -> dict[str, Any]:
        """For the person, and for what is stored: nothing of arguments and results."""
        approval = {"approval_id": str(self.approval_id)} if self.approval_id else {}
        return approval | {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "state": self.state,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a call: what it was, used and cost."""

    call_id: UUID
    provider: str
    model: str
    stand_in: bool
    """True when no model answered but the laptop's stand-in; say so wherever it is shown."""
    finish_reason: str
    usage: Usage
    cost_microdollars: int
    price_known: bool
    sources: tuple[Source, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What the steps of the call noted, by step: guard verdicts, timings."""
    calls: tuple[ToolCall, ...] = ()
    tainted: bool = True
    """Words were in the context that neither the person nor the app has written."""


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer in one piece, from a provider."""

    text: str
    finish: Finish


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in one piece, from the gateway."""

    text: str
    done: Done


class Provider(Protocol):
    """One model behind one address."""

    name: str
    model: str
    stand_in: bool
    price_list: str
    """The table in prices.toml, mostly the name."""

    def stream(self, ask: Ask) -> AsyncGenerator[Delta | Finish, None]:
        """Deltas, then one Finish. Raises the problems of `errors`."""
        ...

    async def complete(self, ask: Ask) -> Completion: ...

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens that the messages need at most; may be too high, seldom too low."""
        ...


def estimated_tokens(text: str) -> int:
    """A third of the UTF-8 bytes: above the real count for nearly all prose and code."""
    size = len(text) if text.isascii() else len(text.encode())
    return -(-size // BYTES_PER_TOKEN)


def estimated_input_tokens(messages: Sequence[Message]) -> int:
    said = sum([estimated_tokens(one.content) for one in messages])
    calls = sum([_call_tokens(call) for one in messages for call in one.calls])
    return said + calls + TOKENS_AROUND_A_MESSAGE * len(messages)


def asked_tokens(provider: Provider, ask: Ask) -> int:
    """What the provider counts for the question: messages, and what stands beside them."""
    asked = provider.count(ask.messages)
    return asked + beside_tokens(ask) if ask.tools or ask.shape else asked


def beside_tokens(ask: Ask) -> int:
    """Tokens of the tools and the shape."""
    shape = _json_tokens(ask.shape.schema) if ask.shape else 0
    return shape + sum(
        estimated_tokens(one.description) + _json_tokens(one.schema) + TOKENS_AROUND_A_TOOL
        for one in ask.tools
    )


def _call_tokens(call: ToolCall) -> int:
    return estimated_tokens(call.arguments) + TOKENS_AROUND_A_TOOL


def _json_tokens(schema: Mapping[str, Any]) -> int:
    return -(-len(orjson.dumps(schema)) // BYTES_PER_TOKEN)
