"""Ranked search over short texts (Okapi BM25 with synonyms), for FAQ entries and notes."""
from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import Dict, List, NamedTuple, Sequence, Tuple

from runtime.synonyms import FAMILY, GENERIC, SOFT, chinese_words, concepts, phrase_words, says_age
from runtime.text import has_cjk, stem, tokens

_K1 = 1.2
_B = 0.75
# A synonym counts for less than the word itself.
_SYNONYM = 0.85


# Who somebody asks for says little of what is asked.
_PERSONS = frozenset(stem(word) for word in "son daughter husband wife partner mum mom dad mother father grandma grandpa kid boy girl brother sister family neighbour neighbor colleague baby guy folks".split())


# Where somebody asks says little of what is asked: 公司有没有班车.
_PLACES = re.compile("公司|店里|单位|酒店|小区|医院|客服|地方|东西|这边|那边")


class Hit(NamedTuple):
    """One ranked text. `coverage` is the share of the query's weight that the text contains, 0 to 1."""

    index: int
    score: float
    coverage: float


class Ranker:
    """An index over texts; build it once, search it often."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(_terms(text)) for text in texts]
        self._everything = "\n".join(texts).lower()
        self._concepts = [concepts(text) for text in texts]
        self._lengths = [sum(count.values()) for count in self._counts]
        self._average = (sum(self._lengths) / len(self._lengths)) if self._lengths else 1.0
        self._documents: Dict[str, int] = {}
        for count, about in zip(self._counts, self._concepts):
            for term in [*count, *about]:
                self._documents[term] = self._documents.get(term, 0) + 1

    def _weight(self, term: str) -> float:
        containing = self._documents.get(term, 0)
        if not containing:
            # A word that no text knows says little about which text is meant; it must not outweigh those that do. Of
            # Chinese bigrams most are no words at all.
            rare = math.log(1.0 + (len(self._counts) - 0.5) / 1.5)
            if term.isascii():
                return rare * (0.25 if term in GENERIC or term in SOFT or term in _PERSONS or concepts(term) & GENERIC else 1.0)
            strange = len(term) == 2 and term[0] != "~" and not any("~" + char in self._documents for char in term)
            return rare * (0.6 if strange else 0.05 if term[0] == "~" else 0.2)
        weight = math.log(1.0 + (len(self._counts) - containing + 0.5) / (containing + 0.5))
        return weight * (0.5 if term in GENERIC else 0.3 if term[0] == "~" else 1.0)

    def _known(self, term: str) -> str:
        """The term as the texts have it: itself, a word that holds it ("firewood", "players"), or one that is one typing error away."""
        if term in self._documents or len(term) < 4 or not (term.isascii() and term.isalpha()):
            return term
        whole = [known for known in self._documents if (known.endswith(term) and len(known) > len(term) + 2 or known.startswith(term) and len(known) > len(term) + 1) and known.isalpha()] if not concepts(term) else []
        if len(whole) == 1:
            return whole[0]
        if len(term) < 5:
            return term
        return next((known for known in self._documents if known[:1] == term[:1] and _one_apart(term, known)), term)

    def strange(self, query: str) -> bool:
        """True when the query has an English word that no text knows, nor a word for the same."""
        known = set().union(*self._concepts) if self._concepts else set()
        words = [term for term in tokens(query) if term.isascii() and term.isalpha() and term not in _PERSONS and term not in phrase_words(query)]
        return any(self._known(term) not in self._documents and not concepts(term) & known for term in words)

    def search(self, query: str, limit: int = 3) -> List[Hit]:
        """Return the best texts for the query, best first; texts that share no word and no meaning are left out."""
        rest = query
        for word in chinese_words(query) if has_cjk(query) else ():
            if word not in self._everything:  # its meaning stands for it, and not the pairs of characters around it
                rest = rest.replace(word, " ")
        elsewhere = _PLACES.sub(" ", rest) if has_cjk(rest) else rest
        rest = elsewhere if _terms(elsewhere) else rest
        joined = phrase_words(query)
        terms = {self._known(term) for term in _terms(rest)}
        aged = says_age(query)
        terms = {term for term in terms if (term not in joined or term in self._documents) and not (aged and term.isdigit())}
        # What stands for a word when a text says it otherwise: "fee" for "price".
        instead = {term: concepts(term) if term.isascii() else set() for term in terms}
        # A meaning that no text has counts too: it is what the texts do not answer.
        wide = concepts(query)
        bound = {name for names in instead.values() for name in names}
        free = wide - bound
        weights = {term: self._weight(term) for term in terms}
        weights.update({name: self._weight(name) for name in free})
        # Two strange words are enough to tell that a text does not speak of this; more are one word cut in pieces.
        strange = sorted((weight for term, weight in weights.items() if not term.isascii() and term not in self._documents and term[0] != "~"), reverse=True)
        total = sum(weights.values()) - sum(strange[2:]) or 1.0
        # E9 is not E7: a code that is asked for must stand in the text.
        codes = {term for term in terms if re.fullmatch(r"[a-z]{1,3}\d{1,4}", term)}
        hits: List[Hit] = []
        for index, (count, about) in enumerate(zip(self._counts, self._concepts)):
            score, covered, solid = 0.0, 0.0, False
            length = 1 - _B + _B * self._lengths[index] / (self._average or 1.0)
            for term, weight in weights.items():
                frequency = count.get(term, 0) or int(term in about)
                if not frequency and instead.get(term) and instead[term] & about:
                    frequency, weight = 1, weight * _SYNONYM
                if frequency:
                    solid = solid or term[0] != "~"
                    score += max(weight, 0.05) * frequency * (_K1 + 1) / (frequency + _K1 * length)
                    covered += weight
            if score:
                missing = codes and not codes & set(count)
                hits.append(Hit(index, score, covered / total * (0.3 if missing or not solid else 1.0)))
        return sorted(hits, key=lambda hit: (-hit.score, hit.index))[:limit]


def _terms(text: str) -> List[str]:
    """The search terms of a text; of Chinese also the single characters, which count for little."""
    found = tokens(text)
    if has_cjk(text):
        found += ["~" + char for token in found if len(token) == 2 and not token.isascii() for char in token]
    return found


@lru_cache(maxsize=16)
def ranker(texts: Tuple[str, ...]) -> Ranker:
    """The index over these texts, made once."""
    return Ranker(texts)


_NUMBER = re.compile(r"\d|[一二两三四五六七八九十百半]|\b(?:free|one|two|three|four|five|six|seven|eight|nine|ten|half|dozen|no charge|none|any)\b|免费|不限|不收")
_WANTS = [
    (re.compile(r"\bhow much\b(?! (?:notice|time))|\b(?:price|cost|fee|charge)s?\b|多少钱|价格|费用|收费|几块"), re.compile(_NUMBER.pattern + r"|\bincluded\b|\bcharge|包含|\bpric|\bfee")),
    (re.compile(r"\bhow (?:many|long|old|far|often|big|tall)\b|多少|多久|几[个天岁次点]|多长|多大|多远"), re.compile(_NUMBER.pattern + r"|\b(?:daily|weekly|monthly|every|once|twice|always|minutes?|hours?|days?|weeks?)\b|每|当天|随时")),
    (re.compile(r"\bhow (?:fast|quick(?:ly)?|soon)\b|多快"), re.compile(r"\d+\s*(?:-|–|to)?\s*\d*\s*(?:business |working )?(?:min|h\b|hour|day|week|month|second)|\b(?:same|next) day\b|\bimmediate|\bat once\b|小时|分钟|天|日|当天")),
    # A price is no length, weight or age.
    (re.compile(r"\b(?:what|how much)\b.{0,30}\bcosts?\b|\bprice of\b"), re.compile(r"[$€£¥元块]|\d[.,]\d\d\b|\b(?:eur|usd|gbp|chf|euros?|dollars?|pounds?|cents?|free|included|price|fee|charge|extra)\b|免费|(?<![a-z\d.])\d+(?:\.\d+)?(?!\s*(?:[a-z%]|\d|:|st|nd|rd|th))")),
    (re.compile(r"\bwhat time\b|\bwhen\b|什么时候|几点|何时"), re.compile(_NUMBER.pattern + r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:today|daily|every|always|morning|evening|noon|january|february|march|april|may|june|july|august|september|october|november|december|after|before|until|during|weekend|end|start|once|as soon)\b|周|星期|月|日|随时|每天|早|晚|后|前")),
    (re.compile(r"\b(?:phone|telephone|call you|number)\b|电话|号码"), re.compile(r"\d{3}|phone|call|电话")),
]


def same_subject(query: str, label: str) -> bool:
    """True when both share a word or a meaning."""
    return bool(set(tokens(query)) & set(tokens(label)) or concepts(query) & concepts(label))


def asks_otherwise(query: str, question: str) -> bool:
    """True when both ask for something general ("when", "how much", "what to bring"), and not for the same."""
    one, other = ({FAMILY[name] for name in concepts(text) & GENERIC} for text in (query, question))
    return bool(one and other and not one & other)


def fits_kind(query: str, text: str) -> bool:
    """True when a text can hold the kind of answer that is asked: a sum for "how much", a time for "when"."""
    lower, answer = query.lower(), text.lower()
    return all(holds.search(answer) for wants, holds in _WANTS if wants.search(lower))


def _one_apart(one: str, other: str) -> bool:
    """True when one letter was changed, left out, added or swapped with its neighbour."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    at = next((place for place, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    if len(one) == len(other):
        return one[at + 1 :] == other[at + 1 :] or (one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :])
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer[at + 1 :] == shorter[at:]
