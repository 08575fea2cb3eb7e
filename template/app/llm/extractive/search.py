"""Which sentences answer a question, by the words they share with it.

A sentence is judged together with its headings and neighbours: what it is about often stands
there. A question is answered only when enough of what it asks about is covered; words count by how
rare they are, and a word that no document has counts most. Of two that cover as much, the one comes
first whose document is about it, and last what stands in a document that is one long table.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.llm.extractive.documents import ABOVE, Sentence
from app.llm.extractive.words import terms

IN_SENTENCE, IN_HEADING, IN_NEIGHBOUR = 1.0, 0.7, 0.35
# So much of the coverage is each word's alike: one rare word is not what a question is about.
ALIKE = 0.3
BY_TITLE, IN_TABLES = 0.15, 0.2
# A document of which more than this are rows of tables is looked things up in, and explains none.
MOSTLY = 0.6
# Measured with tests/llm/questions.toml: lower answers more, and more that was not asked.
ENOUGH = 0.55
MOST_SENTENCES = 3
# A further sentence is shown when it is nearly as good as the best one.
NEARLY = 0.85
LONGEST_QUOTE = 300
# "How do I sign in, and what does it cost?" asks for two things, which stand in two places.
ASKS_ANEW = re.compile(
    r"\?+\s+|,?\s+(?:and|or|und|oder|et|ou|y|o|e)\s+(?=(?:"
    r"how|what|which|who|whose|where|when|why|can|does|do|is|are|may|must|will"
    r"|wie|was|welche\w*|wer|wo|wann|warum|kann|gibt|muss"
    r"|comment|quel\w*|qui|où|quand|pourquoi|est"
    r"|cómo|qué|cuál\w*|quién|dónde|cuándo|come|che|quale|chi|dove|quando|perché)\b)",
    re.IGNORECASE,
)
MOST_PARTS = 4


@dataclass(frozen=True, slots=True)
class Hit:
    place: int
    sentence: Sentence
    coverage: float
    """The share of the question that the sentence is about, from 0 to 1."""
    rank: float
    """The higher, the sooner it is shown."""


class Index:
    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self.sentences = list(sentences)
        self._weights: dict[str, dict[int, float]] = defaultdict(dict)
        self._titles: dict[str, set[str]] = defaultdict(set)
        of_documents = Counter(one.path for one in self.sentences)
        rows = Counter(one.path for one in self.sentences if one.is_row)
        self._tables = {path for path, all_ in of_documents.items() if rows[path] > MOSTLY * all_}
        for place, sentence in enumerate(self.sentences):
            self._add(place, sentence.text, IN_SENTENCE)
            self._add(place, sentence.heading, IN_HEADING)
            title = f"{PurePosixPath(sentence.path).stem} {sentence.heading.partition(ABOVE)[0]}"
            self._titles[sentence.path].update(terms(title))
            for other in (place - 1, place + 1):
                if 0 <= other < len(self.sentences):
                    near = self.sentences[other]
                    if (near.path, near.heading) == (sentence.path, sentence.heading):
                        self._add(place, near.text, IN_NEIGHBOUR)

    def _add(self, place: int, text: str, weight: float) -> None:
        for term in terms(text):
            known = self._weights[term]
            known[place] = max(known.get(place, 0.0), weight)

    def find(self, question: str) -> list[Hit]:
        """What answers, in the order of the documents; nothing when nothing does."""
        parts = ASKS_ANEW.split(question)[:MOST_PARTS]
        most = 1 + MOST_SENTENCES // len(parts)
        hits = [hit for part in parts for hit in self._best(part)[:most]]
        found = {hit.place: hit for hit in hits or self._best(question)}
        return [found[place] for place in sorted(found)]

    def _best(self, question: str) -> list[Hit]:
        ranked = self.ranked(question)[:MOST_SENTENCES]
        enough = [hit for hit in ranked if hit.coverage >= ENOUGH]
        return [hit for hit in enough if hit.rank >= NEARLY * ranked[0].rank]

    def ranked(self, question: str) -> list[Hit]:
        """Every sentence that has to do with the question, the best first."""
        wanted = self._shares(question)
        covered: dict[int, float] = defaultdict(float)
        for term, share in wanted.items():
            for place, weight in self._weights.get(term, {}).items():
                covered[place] += share * weight
        hits = [self._hit(place, coverage, wanted) for place, coverage in covered.items()]
        return sorted(hits, key=lambda hit: (-hit.rank, hit.place))

    def _shares(self, question: str) -> dict[str, float]:
        """How much of the question each of its words is; together 1."""
        rarity = {term: self._rarity(term) for term in terms(question)}
        total = sum(rarity.values()) or 1.0  # Where nothing is, nothing is rare.
        return {
            term: ALIKE / len(rarity) + (1 - ALIKE) * rare / total for term, rare in rarity.items()
        }

    def _hit(self, place: int, coverage: float, wanted: dict[str, float]) -> Hit:
        path = self.sentences[place].path
        named = sum(share for term, share in wanted.items() if term in self._titles[path])
        rank = coverage + BY_TITLE * named - IN_TABLES * (path in self._tables)
        return Hit(place, self.sentences[place], coverage, rank)

    def quote(self, hit: Hit) -> str:
        """The sentence, with the one behind it when they belong together and are short."""
        text, behind = hit.sentence.text, self.sentences[hit.place + 1 : hit.place + 2]
        for other in behind:
            same = (other.path, other.block) == (hit.sentence.path, hit.sentence.block)
            if same and len(text) + len(other.text) < LONGEST_QUOTE:
                text = f"{text} {other.text}"
        return text

    def _rarity(self, term: str) -> float:
        found = len(self._weights.get(term, ()))
        return math.log(1 + len(self.sentences) / (found + 0.5))
