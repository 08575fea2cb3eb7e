"""Words as search needs them: small, without endings, without those that every text has."""

import re
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:[._/'’-][^\W_]+)*")
INNER = re.compile(r"[^\W_]+")

# Words of questions and of every sentence. They say nothing about what is asked.
STOP_WORDS = frozenset(
    """
    a about above after again all also although always am an and another any are around as ask at
    be because been before being below between both but by can cannot come could did do does doing
    done down during each either else even ever every explain few find first for found from
    further get give given gives go goes good got had happen happened happens has have having he
    hello help her here hers hey hi him his how however i if in instead into is it its itself just
    kind know last least less let like list look made make makes many may me mean means might mine
    more most much must my need needs never new no none nor not now of off ok on once one only
    onto or other others our ours out over own per please possible quite rather really same say
    see seems shall she should show since so some someone something still such sure tell than
    thank thanks that the their theirs them then there these they thing things this those through
    to together too toward try two under until up upon us use used uses using very want was way we
    well were what when where whether which while who whom whose why will with within without
    would yes yet you your yours yourself
    """.split()  # noqa: SIM905 a paragraph is easier to read than 200 quoted words
)
# English endings, the longest of each kind first, with what takes their place.
ENDINGS = (
    ("ational", "ate"), ("izations", "ize"), ("ization", "ize"), ("isations", "ize"),
    ("isation", "ize"), ("fulness", ""), ("ousness", "ous"), ("iveness", "ive"), ("ments", ""),
    ("ations", "ate"), ("ation", "ate"), ("ising", "ize"), ("ised", "ize"), ("ises", "ize"),
    ("ise", "ize"), ("ings", ""), ("ing", ""), ("ment", ""), ("ness", ""), ("ions", ""),
    ("ion", ""), ("ities", ""), ("ity", ""), ("ables", ""), ("able", ""), ("ible", ""),
    ("ally", "al"), ("ly", ""), ("ies", "y"), ("ied", "y"), ("ers", ""), ("er", ""), ("ors", ""),
    ("or", ""), ("ed", ""), ("es", ""), ("al", ""), ("ive", ""),
)  # fmt: skip
SHORTEST_STEM = 4


def terms(text: str) -> list[str]:
    """The stems of the words that carry meaning, in order; compounds also in their parts."""
    words = [
        word
        for compound in WORD.findall(text.casefold())
        for parts in [INNER.findall(compound)]
        for word in (parts if len(parts) == 1 else (compound, *parts))
    ]
    return [stem(word) for word in words if word not in STOP_WORDS and _means_something(word)]


def _means_something(word: str) -> bool:
    return len(word) > 1 or not word.isascii()


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word without its ending: `limits`, `limited` and `limiting` are one."""
    if not word.isascii() or not word.isalpha():
        return word
    for ending, instead in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= SHORTEST_STEM:
            word = word[: -len(ending)] + instead
            break
    else:
        if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
            word = word[:-1]
    if len(word) > SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > SHORTEST_STEM else word
