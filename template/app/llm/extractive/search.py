"""Which sentences answer a question, by the words they share with it.

A sentence is judged together with its headings and neighbours: what it is about often stands
there. A question is answered only when enough of what it asks about is covered; words count by how
rare they are, and a word that no document has counts most.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from app.llm.extractive.documents import Sentence
from app.llm.extractive.words import terms

IN_SENTENCE, IN_HEADING, IN_NEIGHBOUR = 1.0, 0.7, 0.35
# Measured with tests/llm/questions.toml: lower answers more, and more that was not asked.
ENOUGH = 0.55
MOST_SENTENCES = 3
# A further sentence is shown when it is nearly as good as the best one.
NEARLY = 0.85
LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Hit:
    place: int
    sentence: Sentence
    coverage: float
    """The share of the question that the sentence is about, from 0 to 1."""


class Index:
    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self.sentences = list(sentences)
        self._weights: dict[str, dict[int, float]] = defaultdict(dict)
        for place, sentence in enumerate(self.sentences):
            self._add(place, sentence.text, IN_SENTENCE)
            self._add(place, sentence.heading, IN_HEADING)
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
        ranked = self.ranked(question)
        if not ranked or ranked[0].coverage < ENOUGH:
            return []
        best = ranked[0].coverage
        kept = [hit for hit in ranked[:MOST_SENTENCES] if hit.coverage >= NEARLY * best]
        return sorted(kept, key=lambda hit: hit.place)

    def ranked(self, question: str) -> list[Hit]:
        """Every sentence that has to do with the question, the best first."""
        wanted = {term: self._rarity(term) for term in terms(question)}
        total = sum(wanted.values())
        scores: dict[int, float] = defaultdict(float)
        for term, rarity in wanted.items():
            for place, weight in self._weights.get(term, {}).items():
                scores[place] += rarity * weight
        hits = [Hit(place, self.sentences[place], score / total) for place, score in scores.items()]
        return sorted(hits, key=lambda hit: (-hit.coverage, hit.place))

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
