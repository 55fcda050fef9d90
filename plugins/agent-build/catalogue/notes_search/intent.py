"""When a question shares words with the notes; a careful offer, other tools go first."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from runtime.quoting import SURE, quoted
from tools.notes_search import rank_notes

_FLOOR = 0.36


def propose(question: Question) -> Optional[Proposal]:
    """Offer a search when a passage covers a fair share of the question."""
    if len(question.text) > 400 or not re.search(r"[a-z]{2}|[\u4e00-\u9fff]", re.sub(r"\b(?:and|at|in|on|for|the|of|to|with|about|what|how)\b", "", question.lower)):
        return None
    query = question.text
    ranked = rank_notes(query, 1)
    previous = question.previous("search_notes")
    if previous and question.is_follow_up and len(query) < 60 and (not ranked or ranked[0]["match"] < 0.5):
        joined = re.sub(r"(?i)^\W*(?:and|what about|how about|那么?)\b\s*", "", query) + " " + previous.arguments["query"]
        again = rank_notes(joined, 1)
        if ranked and again and again[0]["text"] == ranked[0]["text"]:
            ranked = again
    if not ranked or ranked[0]["match"] < _FLOOR:
        return None
    return Proposal("search_notes", {"query": query}, min(0.86, 0.4 + 0.46 * ranked[0]["match"]))


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Quote the best passage, and others that come close."""
    best = result["passages"][0]["match"]
    text = "\n\n".join(passage["text"] for passage in result["passages"] if passage["match"] >= (0.8 if best >= SURE else 0.55) * best)
    return quoted(arguments["query"], text, best, language)
