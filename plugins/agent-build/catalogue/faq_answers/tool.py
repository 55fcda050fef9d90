"""Answers from the list of questions and answers that came with the requirement."""
from __future__ import annotations

import re
from typing import Any, Dict, List

from runtime import knowledge
from runtime.refusal import Unknown
from runtime.retrieval import asks_otherwise, fits_kind, ranker
from runtime.synonyms import FEES, concepts

__all__ = ["answer_faq", "list_faq"]


def _pairs() -> List[Dict[str, str]]:
    return [pair for data in knowledge.of_kind("faq") for pair in data["pairs"]]


_COUNTRIES = re.compile(
    r"美国|日本|韩国|泰国|英国|法国|德国|意大利|西班牙|加拿大|澳大利亚|澳洲|新西兰|俄罗斯|越南|新加坡|马来西亚|印度|香港|澳门|台湾|欧洲|"
    r"\b(?:usa|united states|america|canada|mexico|japan|china|korea|india|thailand|uk|united kingdom|england|ireland|france|germany|austria|switzerland|italy|spain|portugal|netherlands|belgium|poland|"
    r"sweden|norway|denmark|finland|russia|australia|new zealand|brazil|europe|africa|hawaii|alaska)\b", re.IGNORECASE)


def countries(text: str) -> "set[str]":
    """The countries that a text names."""
    return {match.group(0).lower() for match in _COUNTRIES.finditer(text)}


def _bare(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def search_faq(question: str) -> List[Dict[str, Any]]:
    """Rank the known questions by how well they match: [{"question", "answer", "match"}], match 0 to 1."""
    pairs = _pairs()
    if not pairs:
        return []
    asked = ranker(tuple(pair["question"] for pair in pairs)).search(question, limit=10)
    # The answer's words count too, for less: people ask about what the answer says.
    told = {hit.index: hit.coverage for hit in ranker(tuple(pair["question"] + " " + pair["answer"] for pair in pairs)).search(question, limit=10)}
    matches = {hit.index: hit.coverage for hit in asked}
    # Word for word the same question, even when it has no searchable word ("Why?").
    matches.update({index: 1.0 for index, pair in enumerate(pairs) if _bare(pair["question"]) == _bare(question)})
    fees = concepts(question) & FEES
    with_fees = {index for index, pair in enumerate(pairs) if fees & concepts(pair["question"] + " " + pair["answer"])}
    ranked = []
    for index in set(matches) | set(told):
        match = max(matches.get(index, 0.0), 0.85 * told.get(index, 0.0)) + 0.001 * told.get(index, 0.0)
        if match < 0.99 and not fits_kind(question, pairs[index]["answer"]):
            match *= 0.7
        if match < 0.99 and asks_otherwise(question, pairs[index]["question"]):
            match *= 0.35
        if match < 0.99 and with_fees and index not in with_fees:
            match *= 0.4
        elsewhere = countries(question)
        if elsewhere and not elsewhere & countries(pairs[index]["question"] + " " + pairs[index]["answer"]):
            match *= 0.4  # a visa for Japan is none for Canada
        ranked.append({"question": pairs[index]["question"], "answer": pairs[index]["answer"], "match": round(min(1.0, match), 3)})
    return sorted(ranked, key=lambda entry: -entry["match"])[:3]


def answer_faq(question: str) -> Dict[str, Any]:
    """Answer from the FAQ entry that fits the question best.

    Args:
        question: the question in the user's words.

    Returns:
        {"question": the entry's question, "answer", "match": 0 to 1, "others": further
        questions that come close}.

    Raises:
        ValueError: no entry has anything in common with the question.
    """
    ranked = search_faq(question)
    if not ranked:
        raise Unknown("no entry of the FAQ fits this question", "常见问题里没有与此相符的内容")
    best = ranked[0]
    return dict(best, others=[entry["question"] for entry in ranked[1:] if entry["match"] > 0.6 * best["match"]])


def list_faq(limit: int = 30) -> Dict[str, Any]:
    """List the questions that the FAQ answers.

    Args:
        limit: at most so many.

    Returns:
        {"questions": [...], "count": of all}.
    """
    questions = [pair["question"] for pair in _pairs()]
    return {"questions": questions[: max(1, limit)], "count": len(questions)}
