"""Ranked search over short texts (Okapi BM25), for FAQ entries and notes."""
from __future__ import annotations

import math
from collections import Counter
from typing import Dict, List, NamedTuple, Sequence

from runtime.text import tokens

_K1 = 1.2
_B = 0.75


class Hit(NamedTuple):
    """One ranked text. `coverage` is the share of the query's weight that the text contains, 0 to 1."""

    index: int
    score: float
    coverage: float


class Ranker:
    """An index over texts; build it once, search it often."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(tokens(text)) for text in texts]
        self._lengths = [sum(count.values()) for count in self._counts]
        self._average = (sum(self._lengths) / len(self._lengths)) if self._lengths else 1.0
        documents: Dict[str, int] = {}
        for count in self._counts:
            for term in count:
                documents[term] = documents.get(term, 0) + 1
        self._documents = documents

    def _weight(self, term: str) -> float:
        containing = self._documents.get(term, 0)
        if not containing:
            # A word that no text knows says little about which text is meant; it must not outweigh those that do.
            return 0.8 * math.log(1.0 + (len(self._counts) - 0.5) / 1.5)
        return math.log(1.0 + (len(self._counts) - containing + 0.5) / (containing + 0.5))

    def search(self, query: str, limit: int = 3) -> List[Hit]:
        """Return the best texts for the query, best first; texts that share no term are left out."""
        terms = set(tokens(query))
        total = sum(self._weight(term) for term in terms) or 1.0
        hits: List[Hit] = []
        for index, count in enumerate(self._counts):
            score, covered = 0.0, 0.0
            for term in terms:
                frequency = count.get(term, 0)
                if frequency:
                    weight = self._weight(term)
                    length = 1 - _B + _B * self._lengths[index] / (self._average or 1.0)
                    score += weight * frequency * (_K1 + 1) / (frequency + _K1 * length)
                    covered += weight
            if score:
                hits.append(Hit(index, score, covered / total))
        return sorted(hits, key=lambda hit: (-hit.score, hit.index))[:limit]
