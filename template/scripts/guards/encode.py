"""Texts as attackers disguise them, one function for each way."""

import codecs
from base64 import a85encode, b16encode, b32encode, b64encode, b85encode
from collections.abc import Callable
from urllib.parse import quote

MORSE = {
    "a": ".-", "b": "-...", "c": "-.-.", "d": "-..", "e": ".", "f": "..-.", "g": "--.",
    "h": "....", "i": "..", "j": ".---", "k": "-.-", "l": ".-..", "m": "--", "n": "-.",
    "o": "---", "p": ".--.", "q": "--.-", "r": ".-.", "s": "...", "t": "-", "u": "..-",
    "v": "...-", "w": ".--", "x": "-..-", "y": "-.--", "z": "--..",
}  # fmt: skip
NATO = [
    "Alfa", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett",
    "Kilo", "Lima", "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango",
    "Uniform", "Victor", "Whiskey", "Xray", "Yankee", "Zulu",
]  # fmt: skip
BRAILLE = dict(zip("abcdefghijklmnopqrstuvwxyz", "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵", strict=True))
LOOKS_LIKE = str.maketrans("aceopxyisABEHKMOPCTX", "асеорхуіѕАВЕНКМОРСТХ")
LEET = str.maketrans("aeiostAEIOST", "431057431057")


def _letters(text: str, each: Callable[[str], str], blank: str, between: str) -> str:
    words = text.lower().split()
    return blank.join(
        between.join(each(letter) for letter in word if each(letter)) for word in words
    )


def _nato(letter: str) -> str:
    return NATO[ord(letter) - 97] if "a" <= letter <= "z" else ""


def _atbash(text: str) -> str:
    return "".join(
        chr(219 - ord(c)) if "a" <= c <= "z" else chr(155 - ord(c)) if "A" <= c <= "Z" else c
        for c in text
    )


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _bits(text: str) -> str:
    """In two zero-width characters, behind a harmless word."""
    bits = "".join(f"{byte:08b}" for byte in text.encode())
    return "Hello" + bits.translate({48: "\u200b", 49: "\u200c"}) + " there"


WAYS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base32": lambda text: b32encode(text.encode()).decode(),
    "base16": lambda text: b16encode(text.encode()).decode(),
    "ascii85": lambda text: a85encode(text.encode()).decode(),
    "base85": lambda text: b85encode(text.encode()).decode(),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "percent": lambda text: quote(text, safe=""),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "escapes": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "atbash": _atbash,
    "reversed": lambda text: text[::-1],
    "leet": lambda text: text.translate(LEET),
    "morse": lambda text: _letters(text, lambda c: MORSE.get(c, ""), " / ", " "),
    "nato": lambda text: _letters(text, _nato, " / ", " "),
    "braille": lambda text: _letters(text, lambda c: BRAILLE.get(c, ""), " ", ""),
    "tags": lambda text: "Hello" + "".join(chr(0xE0000 + ord(c)) for c in text if ord(c) < 128),
    "zero-width": _bits,
    "homoglyphs": lambda text: text.translate(LOOKS_LIKE),
    "full width": lambda text: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text
    ),
    "spaced": lambda text: "  ".join(" ".join(word) for word in text.split()),
    "dotted": lambda text: " ".join(".".join(word) for word in text.split()),
    "split by zero width": lambda text: "\u200b".join(text),
}
