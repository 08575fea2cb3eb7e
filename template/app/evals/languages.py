"""Which language a text is in, by its commonest words: enough to see whether an answer keeps to
the language of its question, and no more.
"""

import re

WORDS = {
    "en": "the and is of to in that it you for are with not this be have from an as on can",
    "de": "der die das und ist nicht ein eine zu den mit sie auf für im dem es sind ich wird kann",
    "fr": "le la les et est des une un pas que dans pour vous du il en ce sur avec plus sont",
    "es": "el la los las y es de que un una no en por con para se del su más está son lo",
    "it": "il la le gli e è di che un una non per con del della sono si più in lo nel ha",
    "pt": "o a os as e é de que um uma não em por com para se do da mais está são no na",
    "nl": "de het een en is niet van te dat op zijn met voor in je die er aan kan wordt",
    "pl": "i w nie na się z do jest że to jak o co ale za po są dla przez być od tym",
}
KNOWN = {name: frozenset(words.split()) for name, words in WORDS.items()}
WORD = re.compile(r"[^\W\d_]+")
SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
}


def language(text: str) -> str:
    """A code such as `de`, or an empty text when nothing speaks for one."""
    if not text.isascii():
        letters = sum(map(str.isalpha, text)) or 1
        for name, pattern in SCRIPTS.items():
            if len(pattern.findall(text)) > letters * 0.2:
                return name
    words = WORD.findall(text.lower())
    scores = {name: sum(map(known.__contains__, words)) for name, known in KNOWN.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] else ""
