"""Texts about attacks, such as manuals of guards: they quote what they warn of.

Of a document that is about attacks, what stands in quotation marks or in code is not searched for
phrasings, and the name of a kind of attack is no hint of one. Whoever knows that can hide an order
so; what a model may reach is the wall, not this.
"""

import re

NAMED = re.compile(r"prompt.?injection|jailbreak|red.?team|guard.?rail")
ABOUT = re.compile(
    r"prompt.?injection|jailbreak|red.?team|guard.?rail|adversarial|attack|detect|malicious"
    r"|payload|exfiltrat|owasp|vulnerab|threat|security"
)
FEWEST = 3
"""So many different ones of these words make a text one about attacks."""
BEGINNING = 8_192
QUOTED = re.compile(
    r"(?sm)```.{0,4000}?(?:```|\Z)|``[^\n]{1,300}?``|`[^`\n]{1,300}`|\"[^\"\n]{4,300}\""
    r"|“[^”\n]{4,300}”|^(?: {4}|\t)[^\n]*$|^\|[^\n]*\|[ \t]*$|^[ \t]*#[^\n]*$"
)
NAMES = re.compile(r"(?i)\bjailbr(?:eak|oken)\w*")


def is_about_attacks(text: str) -> bool:
    beginning = text[:BEGINNING].casefold()
    if not NAMED.search(beginning):
        return False
    return len({one[0] for one in ABOUT.finditer(beginning)}) >= FEWEST


def unquoted(text: str) -> str:
    return NAMES.sub(" ", QUOTED.sub(" ", text))
