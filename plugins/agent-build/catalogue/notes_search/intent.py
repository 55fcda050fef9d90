"""When a question shares words with the notes; a careful offer, other tools go first."""
from __future__ import annotations

from typing import Any, Dict, Optional

from runtime.question import Proposal, Question
from runtime.retrieval import Ranker
from tools.notes_search import passages


def propose(question: Question) -> Optional[Proposal]:
    """Offer a search when a passage covers a fair share of the question."""
    texts = passages()
    if not texts or len(question.text) > 400:
        return None
    hits = Ranker(texts).search(question.text, limit=1)
    if not hits or hits[0].coverage < 0.3:
        return None
    return Proposal("search_notes", {"query": question.text}, min(0.9, 0.42 + 0.5 * hits[0].coverage))


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Quote the best passage, and others that come close."""
    best = result["passages"][0]["match"]
    return "\n\n".join(passage["text"] for passage in result["passages"] if passage["match"] >= 0.75 * best)
