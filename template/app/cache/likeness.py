"""What two questions must have in common besides their meaning.

Vectors of "refunds after 3 days" and "refunds after 30 days" are nearer to each other than those of
most true paraphrases. So numbers, names, negations and what reverses a word must be the same, in
the same order, before vectors count.
"""

import re
from hashlib import blake2b

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
NEGATIONS = """
    no not never none without cannot nor neither nothing nobody unless except only
    nicht kein keine keinen keiner nie ohne niemals ausser außer nur
    ne pas jamais sans aucun aucune sauf nunca sin ningún ninguna solo
"""
# Words that turn a question round; of a pair both are told apart.
OPPOSITES = """
    before after above below more less first last old new in out on off to from up down left right
    add remove increase decrease start stop open close buy sell send receive import export upload
    download allow deny accept reject most least minimum maximum min max earliest latest
    cheapest dearest with enable disable encrypt decrypt lock unlock install uninstall include
    exclude internal external public private employer employee vor nach mit über unter
"""
TOLD_APART = frozenset(NEGATIONS.split()) | frozenset(OPPOSITES.split())
REVERSED = re.compile(r"(?:un|dis|in|im|non|de|re|over|under)\w{4,}")


def signature(question: str) -> bytes:
    told = []
    for place, match in enumerate(WORD.finditer(question)):
        word = match[0]
        low = word.casefold()
        is_name = word[0].isupper() and (place > 0 or (len(word) > 1 and word.isupper()))
        if (
            is_name
            or any(letter.isdigit() for letter in word)
            or low in TOLD_APART
            or low.endswith(("n't", "n’t"))
            or REVERSED.fullmatch(low)
        ):
            told.append(low)
    # Signs between numbers: 1.5 and 15, 3-5 and 3.5.
    told += re.findall(r"\d[.,:/-]\d|[%€$£<>=+]", question)
    return blake2b("\0".join(told).encode(), digest_size=16).digest()
