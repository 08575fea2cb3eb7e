"""What a text says when its encoded parts are read.

base64, base32, base85, hexadecimal, binary, numbers of letters, percent signs, quoted-printable,
entities, escapes, Morse, the spelling alphabet, Braille, ROT13, Atbash and writing backwards.
"""

import codecs
import html
import quopri
import re
from base64 import a85decode, b32decode, b64decode, b85decode
from binascii import Error as NotThatBase
from collections.abc import Callable, Iterator
from itertools import islice
from urllib.parse import unquote

MOST_PARTS = 8
DEEPEST = 2
SMALLEST_SHARE_OF_LETTERS = 0.6
BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
BASE32 = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{16,}={0,6}(?![A-Za-z0-9])")
# No words look so: unbroken, and full of signs.
BASE85 = re.compile(r"(?<!\S)(?:<~)?(?=\S*[^\w\s]\S{0,12}[^\w\s]\S{0,12}[^\w\s])[!-~]{20,}(?!\S)")
HEXADECIMAL = re.compile(r"(?<![0-9A-Fa-f])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]?){8,}")
HEX_PREFIX = re.compile(r"0x|\\x|[ ,:]")
BINARY = re.compile(r"(?<!\d)(?:[01]{8}[ ,]?){6,}(?!\d)")
# Places in the alphabet, or codes of characters.
NUMBERS = re.compile(r"(?<!\d)\d{1,3}(?:(?: ?/ ?|, ?|-/-|[ -])\d{1,3}){11,}(?!\d)")
NUMBER = re.compile(r"(\d+)|(/)")
PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}.{0,3}){3}")
QUOTED = re.compile(r"(?:=[0-9A-F]{2}.{0,3}){6}")
ENTITY = re.compile(r"(?:&#x?[0-9A-Fa-f]{2,6};.{0,3}){3}")
ESCAPE = re.compile(r"(?:\\u[0-9A-Fa-f]{4}){3,}")
MORSE = re.compile(r"(?<![.\-\w])[.\-]{1,5}(?:(?: / | ?/ ?| )[.\-]{1,5}){11,}(?![.\-\w])")
MORSE_LETTERS = {
    ".-": "a", "-...": "b", "-.-.": "c", "-..": "d", ".": "e", "..-.": "f", "--.": "g",
    "....": "h", "..": "i", ".---": "j", "-.-": "k", ".-..": "l", "--": "m", "-.": "n",
    "---": "o", ".--.": "p", "--.-": "q", ".-.": "r", "...": "s", "-": "t", "..-": "u",
    "...-": "v", ".--": "w", "-..-": "x", "-.--": "y", "--..": "z", "/": " ",
}  # fmt: skip
SPELLING = (
    "alfa|alpha|bravo|charlie|delta|echo|foxtrot|golf|hotel|india|juliett?|kilo|lima|mike|november"
    "|oscar|papa|quebec|romeo|sierra|tango|uniform|victor|whiske?y|x-?ray|yankee|zulu"
)
# Most texts have too few of them to be searched for rows.
SPELLING_WORDS = frozenset(SPELLING.replace("?", "").split("|")) | {
    "juliet",
    "whisky",
    "xray",
    "ray",
}
FEWEST_SPELLED = 8
SPELLED = re.compile(rf"(?i)\b(?:(?:{SPELLING})\b[\s,/|-]{{1,4}}){{7,}}(?:{SPELLING})\b")
SPELLED_WORD = re.compile(r"[A-Za-z][A-Za-z-]*|/|\n| {2,}")
BRAILLE = re.compile("[\u2800-\u28ff](?:[\u2800-\u28ff]| (?=[\u2800-\u28ff])){7,}")
BRAILLE_LETTERS = str.maketrans("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵⠀", "abcdefghijklmnopqrstuvwxyz ")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
ATBASH = str.maketrans(ALPHABET + ALPHABET.upper(), (ALPHABET[::-1] + ALPHABET[::-1].upper()))
USUAL = (
    "the", "and", "you", "your", "all", "are", "not", "this", "that", "with", "for", "from", "have",
    "will", "now", "what", "me", "my", "previous", "instructions", "prompt", "system", "ignore",
    "follow", "repeat", "print", "tell", "say", "write",
)  # fmt: skip
FEWEST_USUAL = 2
WORD = re.compile(r"\w+")


def _usual(turn: Callable[[str], str]) -> frozenset[str]:
    """Usual words in a text whose letters were turned so."""
    return frozenset(turn(word) for word in USUAL)


def _rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


def _atbash(text: str) -> str:
    return text.translate(ATBASH)


def _backwards(text: str) -> str:
    return text[::-1]


PLAIN = _usual(str)
TURNS = [(_usual(turn), turn) for turn in (_rot13, _atbash, _backwards)]


def decoded(text: str, depth: int = DEEPEST) -> Iterator[str]:
    """Texts that the encoded parts of a text say, also those inside them."""
    for said in _decoded_once(text):
        yield said
        if depth > 1:
            yield from decoded(said, depth - 1)


def _decoded_once(text: str) -> Iterator[str]:
    yield from _parts(BASE64, text, _from_base64)
    yield from _parts(BASE32, text, _from_base32)
    yield from _parts(BASE85, text, _from_base85)
    yield from _parts(HEXADECIMAL, text, _from_hexadecimal)
    yield from _parts(BINARY, text, _from_binary)
    yield from _parts(NUMBERS, text, _from_numbers)
    yield from _parts(MORSE, text, _from_morse)
    words = WORD.findall(text.casefold())
    if _has(SPELLING_WORDS, words, FEWEST_SPELLED):
        yield from _parts(SPELLED, text, _from_spelling)
    yield from _parts(BRAILLE, text, lambda part: part.translate(BRAILLE_LETTERS))
    if PERCENT.search(text):
        yield unquote(text, errors="ignore")
    if QUOTED.search(text):
        yield quopri.decodestring(text.encode()).decode("utf-8", "ignore")
    if ENTITY.search(text):
        yield html.unescape(text)
    if ESCAPE.search(text):
        yield ESCAPE.sub(_from_escapes, text)
    for usual, turn in TURNS:
        if _has(usual, words):
            yield turn(text)


def _has(known: frozenset[str], words: list[str], fewest: int = FEWEST_USUAL) -> bool:
    return sum(map(known.__contains__, words)) >= fewest


def _parts(pattern: re.Pattern[str], text: str, decode: Callable[[str], str]) -> Iterator[str]:
    for found in islice(pattern.finditer(text), MOST_PARTS):
        if said := decode(found[0]):
            yield said


def _from_base64(part: str) -> str:
    part = part.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _text(b64decode(part + "=" * (-len(part) % 4)))
    except (NotThatBase, ValueError):
        return ""


def _from_base32(part: str) -> str:
    part = part.rstrip("=")
    try:
        return _text(b32decode(part + "=" * (-len(part) % 8)))
    except NotThatBase:
        return ""


def _from_base85(part: str) -> str:
    for decode in (a85decode, b85decode):
        try:
            if said := _text(decode(part.removeprefix("<~").removesuffix("~>"))):
                return said
        except ValueError:
            continue
    return ""


def _from_hexadecimal(part: str) -> str:
    digits = HEX_PREFIX.sub("", part)
    return _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_binary(part: str) -> str:
    digits = "".join(one for one in part if one in "01")
    return _text(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) - 7, 8)))


def _from_numbers(part: str) -> str:
    numbers = [(int(one or 0), bool(blank)) for one, blank in NUMBER.findall(part)]
    if all(number <= len(ALPHABET) for number, _ in numbers):
        said = "".join(" " if blank else f" {ALPHABET}"[number] for number, blank in numbers)
    else:
        said = _text(bytes(number for number, blank in numbers if not blank and number < 256))
    # Most rows of numbers are no text.
    return said if _has(PLAIN, WORD.findall(said.casefold())) else ""


def _from_morse(part: str) -> str:
    letters = part.replace("/", " / ").split()
    return "".join(MORSE_LETTERS.get(letter, "") for letter in letters)


def _from_spelling(part: str) -> str:
    words = SPELLED_WORD.findall(part)
    return "".join(word[0].lower() if word[0].isalpha() else " " for word in words)


def _from_escapes(found: re.Match[str]) -> str:
    codes = found[0].split("\\u")[1:]
    return (
        "".join(chr(int(code, 16)) for code in codes)
        .encode("utf-16", "ignore")
        .decode("utf-16", "ignore")
    )


def _text(data: bytes) -> str:
    """The text in some bytes, or nothing when they are no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    if not all(c.isprintable() or c.isspace() for c in text):
        return ""
    likely = sum(c.isalpha() or c.isspace() for c in text)
    return text if likely >= SMALLEST_SHARE_OF_LETTERS * len(text) else ""
