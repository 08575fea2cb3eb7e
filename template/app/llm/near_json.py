"""JSON as models write it: nearly."""

import re
from collections.abc import Iterator

import orjson

# Nothing here goes back over what it has read: an answer is as long as a model likes.
FENCE = re.compile(r"```(?:json)?\s*+(.*?)```", re.DOTALL)
# A string, or what models write in JSON that is none.
PARTS = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*+"?)|(?P<comma>,)(?=\s*[}\]])'
    r"|(?P<word>\b(?:True|False|None|NaN)\b)|(?P<comment>//[^\n]*)",
    re.DOTALL,
)
WORDS = {"True": "true", "False": "false", "None": "null", "NaN": "null"}
RAW = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def mended(text: str) -> str:
    """The JSON in an answer. What is no JSON comes back as it is, for the check to refuse.

    Taken away are fences, words around the object, comments and commas too many; Python's words
    and raw line ends become JSON's. Nothing is made up: what is cut stays cut.
    """
    for one in _candidates(text):
        for tried in (one, PARTS.sub(_mend, one)):
            try:
                orjson.loads(tried)
            except orjson.JSONDecodeError:
                continue
            return tried
    return text


def _candidates(text: str) -> Iterator[str]:
    yield text.strip()
    yield from (found.strip() for found in FENCE.findall(text))
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        yield text[start : end + 1]


def _mend(found: re.Match[str]) -> str:
    if string := found["string"]:
        return "".join(RAW.get(one, one) for one in string)
    return WORDS.get(found["word"] or "", "")
