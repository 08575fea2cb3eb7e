"""Makes text safe to store, to show and to judge, and leaves alone what people wrote.

`clean` takes out what no one can see and what no database stores. `plain` is a view for guards,
never shown: folded so far that the usual disguises fall off.
"""

import re
import unicodedata
from dataclasses import dataclass

LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f"
TAGS = "\U000e0000-\U000e007f"
SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
JOINERS = "\u200c\u200d"
MARKS = "\u200e\u200f\u061c"
UNSEEN = re.compile(
    f"(?P<keep>{FLAG})"
    # Control characters, lone surrogates, noncharacters.
    "|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
    # Invisible: spaces without width, soft hyphens, embeddings and overrides of direction.
    "|[\u00ad\u180e\u200b\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]"
    f"|[{TAGS}]"
    # Joiners belong between the letters of scripts that use them and inside emoji.
    f"|(?<![^\x00-\x7f])[{JOINERS}]+|[{JOINERS}]+(?![^\x00-\x7f])"
    # One selector chooses a glyph; further ones only carry hidden bytes.
    f"|(?<=[{SELECTORS}])[{SELECTORS}]"
)
DIRECTION_MARKS = re.compile(f"[{MARKS}]")
RIGHT_TO_LEFT = re.compile("[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
SUSPECT = re.compile(
    f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u061c"
    f"\ud800-\udfff\ufeff\ufff9-\uffff{TAGS}{SELECTORS}]"
)
HIDDEN = re.compile(f"[{TAGS}]{{2,}}|[{SELECTORS}]{{2,}}")
# Two invisible characters, eight and more of them to a letter.
BITS = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{24,}")
SMALLEST_SECRET_TEXT = 4

# Letters of other scripts that look like Latin ones.
LOOKALIKES = str.maketrans(
    "авекмнорстухіјѕԁԛԝһɡıαβεικνορτυχγωⅼ", "abekmhopctyxijsdqwhgiabeikvoptuxywl"
)
MIXED_WORD = re.compile("[a-z][а-яѐ-џԀ-ԯα-ωɡıⅼ]|[а-яѐ-џԀ-ԯα-ωɡıⅼ][a-z]")
LEET = str.maketrans("0134578@$!", "oieastbasi")
LEET_WORD = re.compile(r"[a-z][0134578@$!][a-z]")
SPACED = re.compile(r"(?<![^\W_])[^\W\d_]([ .\-_*|·])(?:[^\W\d_]\1){3,60}[^\W\d_](?![^\W_])")
# Where one long word is spaced, short ones are, too.
SPACED_SHORT = re.compile(r"(?<![^\W_])[^\W\d_]([ .\-_*|·])(?:[^\W\d_]\1){0,60}[^\W\d_](?![^\W_])")
BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Cleaned:
    text: str
    hidden: str
    """What stood in the characters that nobody can see, when it was text."""


def clean(text: str) -> Cleaned:
    if not SUSPECT.search(text):
        return Cleaned(text, "")
    hidden = _hidden(text)
    text = LINE_ENDS.sub("\n", text)
    text = UNSEEN.sub(lambda found: found["keep"] or "", text)
    if not RIGHT_TO_LEFT.search(text):
        text = DIRECTION_MARKS.sub("", text)
    return Cleaned(text, hidden)


def folded(text: str) -> str:
    """Compatibility forms and accents undone."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize(
        "NFC", "".join(c for c in decomposed if not unicodedata.combining(c))
    )


def plain(text: str) -> str:
    """Folded, in one case, with single blanks."""
    return BLANKS.sub(" ", folded(text).casefold())


def undisguised(text: str) -> str:
    """Plain, with look-alike letters, digits for letters and s p a c e d words undone."""
    text = folded(text).casefold()
    if MIXED_WORD.search(text):
        text = text.translate(LOOKALIKES)
    if LEET_WORD.search(text):
        text = text.translate(LEET)
    if SPACED.search(text):
        text = SPACED_SHORT.sub(lambda found: found[0].replace(found[1], ""), text)
    return BLANKS.sub(" ", text)


def _hidden(text: str) -> str:
    """Text smuggled in tag characters (ASCII), variation selectors (bytes) or invisible bits."""
    found = [said for run in BITS.findall(text) if (said := _from_bits(run))]
    for run in HIDDEN.findall(text):
        if "\U000e0000" <= run[0] <= "\U000e007f":
            said = "".join(chr(ord(c) - 0xE0000) for c in run)
        else:
            said = bytes(_byte(c) for c in run).decode("utf-8", "ignore")
        visible = "".join(c for c in said if c.isprintable())
        if len(visible) >= SMALLEST_SECRET_TEXT:
            found.append(visible)
    return " ".join(found)


def _from_bits(run: str) -> str:
    """Either of the two characters may be the one."""
    signs = sorted(set(run))
    if len(signs) != 2:
        return ""
    for zero, one in (signs, reversed(signs)):
        digits = run.replace(zero, "0").replace(one, "1")
        data = bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) - 7, 8))
        said = data.decode("utf-8", "ignore")
        if len(said) >= SMALLEST_SECRET_TEXT - 1 and said.isprintable():
            return said
    return ""


def _byte(selector: str) -> int:
    code = ord(selector)
    return code - 0xFE00 if code < 0xE0100 else code - 0xE0100 + 16
