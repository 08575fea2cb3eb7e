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
# The same in German, French, Spanish and Italian, but for what means something in English.
OTHER_STOP_WORDS = frozenset(
    """
    aber alle allem allen aller alles als ander andere anderen auch auf aus bei beim beiden bis
    bist bitte da damit dann darf das dass dazu dein deine dem den denn der deren des dessen dich
    die dies diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer
    eines er es etwa etwas euch euer für gegen gibt hab habe haben hat hatte hätte hier ich ihm
    ihn ihnen ihr ihre ihrem ihren ihrer im ins ist ja jede jedem jeden jeder jedes jetzt kann
    kannst kein keine keinen können könnte machen macht mal mehr mein meine meinem meinen meiner
    mich mir mit muss müssen nach nein nicht nichts noch nun nur ob oder ohne sehr sein seine
    seinem seinen seiner seit sich sie sind soll sollen sollte sonst über um und uns unser
    unsere unter viel viele vom von vor wann warum wegen weil welche welchem welchen welcher
    welches wem wen wenn wer werde werden wessen wie wieder wieviel wir wird wo woher wohin
    worden wurde wurden würde zu zum zur zwischen à au aucun aussi autre aux avant avec avez
    avoir avons ça ce cela ces cet cette ceux chaque chez combien comme comment dans de depuis
    dois doit donc dont elle elles en entre est et étaient était être eux faire faut fois il ils
    je jusqu la là laquelle le lequel les leur leurs lui mais moi moins mon même ne nos
    notre nous où ou par parce pas peu peut peux plusieurs pour pourquoi puis qu quand que quel
    quelle quelles quels qui quoi sa sans se selon si sont sous suis sur ta tes toi tous tout
    toute toutes très tu une vers vos votre vous al algo algún alguna antes aquel aquí así como
    con cómo cuál cuáles cuando cuándo cuánto cuántos cuántas debe debo del desde donde dónde
    durante el ella ellos ese esa eso esta está están este esto estos fue ha hace hacer han
    hasta hay las lo los más mi mí mis mucho muy nada ni nosotros para pero poco por porque
    puede puedo qué quien quién quiénes ser sí sobre su sus también tan tengo tiene todo todos
    tus un una unas uno unos usted y ya yo agli alla allo anche avere ben che chi ci cosa così
    cui dagli dai dal dalla dalle degli dei dell della delle dello devo di dopo dov dove e è
    essere fra gli hanno ho io l lei lì loro ma mia mie nei nel nella nelle nello non noi o ogni
    perché più poi posso può qual quale quali quando quanti quanto quella quello questa queste
    questi questo sarà sei siamo sono sta sua sue sugli sui sul sulla sulle suo suoi tra vi voi
    """.split()  # noqa: SIM905
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
    return [stem(word) for word in words if _means_something(word)]


def _means_something(word: str) -> bool:
    if word in STOP_WORDS or word in OTHER_STOP_WORDS:
        return False
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
