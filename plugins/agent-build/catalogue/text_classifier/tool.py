"""Sorting of a text into the categories that came with the requirement, by their words."""
from __future__ import annotations

import re
from typing import Any, Dict, List

from runtime import knowledge
from runtime.matching import find_mentions
from runtime.synonyms import concepts
from runtime.text import tokens

__all__ = ["classify_text", "list_categories"]


def _categories() -> List[Dict[str, Any]]:
    return [category for data in knowledge.of_kind("categories") for category in data["categories"]]


def _akin(word: str, token: str) -> bool:
    """True for words of one root: "heater" and "heating", "noisy" and "noise"."""
    same = 0
    while same < min(len(word), len(token)) and word[same] == token[same]:
        same += 1
    return len(word) >= 5 and same >= 4 and same >= 0.55 * max(len(word), len(token))


def classify_text(text: str) -> Dict[str, Any]:
    """Sort a text into one of the known categories.

    A category scores by its words and phrases that occur in the text (plurals and
    other endings count), and by its own name.

    Args:
        text: the text, for example a message of a customer.

    Returns:
        {"category": the best or None, "matched": the words found for it,
        "scores": {category: score}, "also": further categories with the same score}. On
        a tie the category listed first wins.
    """
    stems = set(tokens(text))
    meant = concepts(text)
    scores: Dict[str, float] = {}
    matched: Dict[str, List[str]] = {}
    for category in _categories():
        found = []
        for word in [category["name"]] + category["words"]:
            parts = tokens(word)
            if find_mentions(text, [word]) or (parts and all(part in stems for part in parts)):
                found.append(word)
        score = float(sum(1 + (" " in word) for word in found))
        if not found:  # the text may say it in other words: "charged twice" for "payment"
            words = [word for word in [category["name"]] + category["words"] if " " not in word]
            akin = [word for word in words if any(_akin(word.lower(), token) for token in re.findall(r"[a-z]{5,}", text.lower()))]
            related = [word for word in words if concepts(word) & meant]
            score, found = (0.7, akin[:1]) if akin else (0.4 * min(len(related), 2), related[:1])
        scores[category["name"]] = score
        matched[category["name"]] = found
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best] == 0:
        return {"category": None, "matched": [], "scores": scores, "also": []}
    also = [name for name in scores if name != best and scores[name] == scores[best]]
    return {"category": best, "matched": matched[best], "scores": scores, "also": also}


def list_categories() -> Dict[str, Any]:
    """List the categories and the words that speak for them.

    Returns:
        {"categories": [{"name", "words"}]}.
    """
    return {"categories": _categories()}
