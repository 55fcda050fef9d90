"""Passages from the text that came with the requirement."""
from __future__ import annotations

from typing import Any, Dict, List

from runtime import knowledge
from runtime.retrieval import Ranker

__all__ = ["search_notes"]


def passages() -> List[str]:
    """All passages of the notes."""
    return [passage for data in knowledge.of_kind("notes") for passage in data["passages"]]


def search_notes(query: str, limit: int = 3) -> Dict[str, Any]:
    """Find the passages of the notes that fit a question best.

    Args:
        query: the question or a few words.
        limit: at most so many passages, 1 to 10.

    Returns:
        {"passages": [{"text", "match": 0 to 1}]}, best first.

    Raises:
        LookupError: no passage has anything in common with the query.
    """
    texts = passages()
    hits = Ranker(texts).search(query, limit=max(1, min(10, limit)))
    if not hits:
        raise LookupError("the notes say nothing about that")
    return {"passages": [{"text": texts[hit.index], "match": round(hit.coverage, 3)} for hit in hits]}
