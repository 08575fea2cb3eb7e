"""Server-sent events, as far as model providers use them: only the data counts."""

LONGEST_LINE = 1_048_576


class LineTooLong(ValueError):
    pass


class EventStream:
    """Feed it bytes as they arrive, cut anywhere; it gives the data of each complete event."""

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        text = self._rest + chunk if self._rest else chunk
        # A CR at the very end may be the first half of CRLF, so it waits for the next bytes.
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        self._rest = text[end:]
        if len(self._rest) > LONGEST_LINE:
            raise LineTooLong
        return self._events(text[:end].splitlines()) if end else []

    def end(self) -> list[bytes]:
        """The event that the stream ended in, when its last empty line is missing."""
        lines = self._rest.splitlines()
        self._rest = b""
        return self._events([*lines, b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data.clear()
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        return events
