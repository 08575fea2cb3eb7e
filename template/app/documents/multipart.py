"""An upload as it arrives: first the fields, then one file, piece by piece and nowhere stored."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from email.message import Message

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from starlette.datastructures import UploadFile
from starlette.requests import Request

from app.core.errors import Invalid
from app.core.problems import as_problem

MOST_FIELDS = 40
LONGEST_FIELD = 1_000
LONGEST_HEADERS = 4_096
PIECE = 262_144


class NotAnUpload(Invalid):
    def __init__(self) -> None:
        super().__init__("Send multipart/form-data: the fields first, then one `file`.")


@dataclass
class Upload:
    fields: dict[str, list[str]]
    name: str
    media_type: str
    chunks: AsyncGenerator[bytes, None]


async def opened(request: Request) -> Upload:
    """The fields and the beginning of the file. Raises `NotAnUpload`."""
    if getattr(request, "_form", None) is not None:
        return await _already_read(request)
    reader = _Reader(_boundary(request))
    chunks = _fed(reader, request.stream())
    async for event in chunks:
        if event == b"":
            break
    else:
        raise NotAnUpload
    return Upload(reader.fields, reader.file_name, reader.media_type, chunks)


def _boundary(request: Request) -> bytes:
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise NotAnUpload
    return boundary.encode("latin-1", "replace")


async def _already_read(request: Request) -> Upload:
    """A small form without script: the check against forgery had to read it to find its token."""
    form = await request.form()
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise NotAnUpload
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)

    async def pieces() -> AsyncGenerator[bytes, None]:
        while piece := await file.read(PIECE):
            yield piece

    return Upload(fields, file.filename or "", file.content_type or "", pieces())


async def _fed(reader: "_Reader", stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """An empty piece when the file begins, then the file's; ends with the body."""
    try:
        told = False
        async for chunk in stream:
            reader.feed(chunk)
            if reader.in_file and not told:
                told = True
                yield b""
            for piece in reader.taken():
                yield piece
    except MultipartParseError as error:
        raise NotAnUpload from error
    except Exception as error:
        raise as_problem(error) from error
    if told and not reader.finished:
        raise NotAnUpload


@dataclass
class _Reader:
    """What the parser's callbacks gather."""

    boundary: bytes
    fields: dict[str, list[str]] = field(default_factory=dict)
    file_name: str = ""
    media_type: str = ""
    in_file: bool = False
    finished: bool = False

    def __post_init__(self) -> None:
        self._pieces: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._header, self._value, self._size = b"", b"", 0
        self._name = ""
        self._text = bytearray()
        self._is_file = False
        self._parser = MultipartParser(
            self.boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._head("_header", data[start:end]),
                "on_header_value": lambda data, start, end: self._head("_value", data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._headers_finished,
                "on_part_data": lambda data, start, end: self._data(data[start:end]),
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        if chunk:
            self._parser.write(chunk)

    def taken(self) -> list[bytes]:
        found, self._pieces = self._pieces, []
        return found

    def _begin(self) -> None:
        if self.in_file:  # One file, and it comes last.
            raise NotAnUpload
        self._headers, self._size, self._text, self._is_file = [], 0, bytearray(), False

    def _head(self, which: str, data: bytes) -> None:
        self._size += len(data)
        if self._size > LONGEST_HEADERS:
            raise NotAnUpload
        setattr(self, which, getattr(self, which) + data)

    def _end_header(self) -> None:
        self._headers.append((self._header.lower(), self._value))
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        told = Message()
        for name, value in self._headers:
            if name in {b"content-disposition", b"content-type"}:
                told[name.decode("ascii")] = value.decode("utf-8", "replace")
        self._name = _text(told.get_param("name", header="content-disposition"))
        file_name = told.get_param("filename", header="content-disposition")
        if file_name is None:
            return
        if self._name != "file":
            raise NotAnUpload
        self._is_file = self.in_file = True
        self.file_name = _text(file_name)
        self.media_type = told.get_content_type() if "content-type" in told else ""

    def _data(self, data: bytes) -> None:
        if self._is_file:
            self._pieces.append(data)
            return
        self._text += data
        if len(self._text) > LONGEST_FIELD:
            raise NotAnUpload

    def _end_part(self) -> None:
        if not self._is_file:
            self.fields.setdefault(self._name, []).append(self._text.decode("utf-8", "replace"))
            if sum(map(len, self.fields.values())) > MOST_FIELDS:
                raise NotAnUpload

    def _end(self) -> None:
        self.finished = True


def _text(value: str | tuple[str | None, str | None, str] | None) -> str:
    if isinstance(value, tuple):  # RFC 2231: encoding, language, and the text byte by byte
        return value[2].encode("latin-1", "replace").decode("utf-8", "replace")
    return value or ""
