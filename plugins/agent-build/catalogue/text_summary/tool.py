"""Extractive summary: picks a text's most telling sentences, invents nothing."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any, Dict, List

from runtime.refusal import Refused
from runtime.text import tokens

__all__ = ["summarize", "key_terms"]


def split_sentences(text: str) -> List[str]:
    """The sentences of an English or Chinese text."""
    parts = re.split(r"(?<=[.!?])\s+(?=[\"'“(A-Z0-9\u4e00-\u9fff])|(?<=[。！？；])\s*|\n+", text)
    return [part.strip() for part in parts if part and part.strip()]


def summarize(text: str, sentences: int = 3) -> Dict[str, Any]:
    """Summarise a text by its most telling sentences, in their own order.

    A sentence weighs as much as its words are frequent in the whole text; words of
    sentences already chosen count less, so that the summary does not repeat itself.

    Args:
        text: the text, at least two sentences.
        sentences: how many to keep, 1 to 10.

    Returns:
        {"summary", "sentences": kept, "of": sentences in the text}.

    Raises:
        ValueError: the text is empty.
    """
    parts = split_sentences(text)
    if not parts:
        raise Refused("there is no text to summarise", "没有可以总结的文字")
    wanted = max(1, min(10, sentences, len(parts)))
    terms = [set(tokens(part)) for part in parts]
    weights = Counter(term for part in parts for term in tokens(part))
    chosen: List[int] = []
    while len(chosen) < wanted:
        best, best_score = -1, -1.0
        for index, words in enumerate(terms):
            if index in chosen:
                continue
            # A long sentence must not win by length alone; the first sentence often states the subject.
            score = sum(weights[word] for word in words) / (len(words) + 4) ** 0.75
            score *= 1.25 if index == 0 else 1.0
            if score > best_score:
                best, best_score = index, score
        chosen.append(best)
        for word in terms[best]:
            weights[word] //= 3
    joint = "" if re.search(r"[。！？；]$", parts[chosen[0]]) else " "
    return {"summary": joint.join(parts[index] for index in sorted(chosen)), "sentences": wanted, "of": len(parts)}


def key_terms(text: str, limit: int = 8) -> Dict[str, Any]:
    """List the words a text is about: those that return most often.

    Args:
        text: the text.
        limit: at most so many, 1 to 30.

    Returns:
        {"terms": [[term, count], ...]}.
    """
    forms: Dict[str, Counter] = {}
    for word in re.findall(r"[A-Za-z][A-Za-z'-]+|[\u4e00-\u9fff]+", text):
        for term in tokens(word):
            forms.setdefault(term, Counter())[word.lower() if word.isascii() else term] += 1
    ranked = sorted(forms.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))[: max(1, min(30, limit))]
    return {"terms": [[form.most_common(1)[0][0], sum(form.values())] for _, form in ranked]}
