"""What a provider for tests is told to do, and what it got."""

from asyncio import Event
from dataclasses import dataclass, field
from typing import Any

WORDS = tuple(f"word{number} " for number in range(10))


@dataclass
class Behaviour:
    """How to answer. The default is a well-behaved stream."""

    words: tuple[str, ...] = WORDS
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: Any = None
    """Body of an answer that is not 200."""
    content_type: str | None = None
    first_after: float = 0.0
    """Seconds before the first word."""
    hold: Event | None = None
    """Say nothing before this is set."""
    hold_after: int = 0
    """So many words come before it is set all the same."""
    gap: float = 0.0
    end_after: float = 0.0
    """Seconds from the last word to the end."""
    usage: Any = "honest"
    """`honest`, None for none, two numbers, or what to say instead in the words of the wire."""
    finish: str | None = "stop"
    done: bool = True
    cut_after: int | None = None
    """Drop the connection after so many words."""
    hang_after: int | None = None
    """Send so many words, and then nothing until the client leaves."""
    garbage_after: int | None = None
    error_after: int | None = None
    error_kind: str = ""
    """What the error in the stream is called; empty: something of the provider's own."""
    line_end: str = "\n"
    comments: bool = False
    piece: int = 0
    """Send so many bytes at a time; 0 sends each event whole."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of each piece of the answer."""
    calls: tuple[tuple[str, str], ...] = ()
    """Tools that it asks for after its words: their names, and the arguments as it writes them."""
    logprob: float = -0.1
    """How probable each word was, told to whoever asks for it."""
    cut_in_arguments: bool = False
    silent: bool = False
    """Take the request and never answer."""

    @property
    def counts(self) -> tuple[Any, Any] | None:
        """Tokens of question and answer, to be told in the wire's own words."""
        if self.usage == "honest":
            return 20, len(self.words)
        return self.usage if isinstance(self.usage, tuple) else None


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes = b""
