"""Passages from the text that came with the requirement."""
from __future__ import annotations

import re
from typing import Any, Dict, List

from runtime import knowledge
from runtime.refusal import Unknown
from runtime.retrieval import fits_kind, ranker, same_subject

__all__ = ["search_notes"]

_LABEL = re.compile(r"([A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff ]{1,24}?)\s*[:：]")
# What the agent was told to do is no note for its users.
_TASK = re.compile(
    r"^\W*(?:(?:the |this |your |my |our )?(?:agent|bot|assistant|chatbot|tool|system|it)\b.{0,20}\b(?:should|must|shall|can|will|needs? to|has to|answers?|tells?|helps?|knows?)\b"
    r"|(?:please |kindly )?(?:build|create|make|develop|design|write|implement|generate)\b.{0,40}\b(?:agent|bot|assistant|chatbot|helper|tool)\b|i (?:need|want|would like|am looking for)\b.{0,40}\b(?:agent|bot|assistant|chatbot|helper|tool|something)\b"
    r"|(?:请|帮我|给我|我想|我要|我们?需要|想要)?.{0,6}(?:做|建|开发|构建|创建|制作|设计|写|搭)(?:一个|个|一款).{0,16}(?:助手|机器人|智能体|客服|工具|agent|bot)|(?:它|助手|机器人|智能体|客服)(?:应该|要|需要|能|可以|会)"
    r"|[\w' -]{2,40}\b(?:helper|assistant|bot|chatbot|agent|aid|planner|desk|tool)\b[\w ]{0,30}[:：]|.{0,12}(?:助理|助手|机器人|智能体|小工具)[：:，,]|.{0,6}(?:语音|智能)助手"
    r"|(?:hook|connect|scrape|sync|monitor|summari[sz]e|translate|classify|converts?|extracts?|calculates?|generates?|draws?)\b|(?:an? )?(?:ai|smart|virtual|digital) (?:\w+ )?(?:designer|assistant|agent|helper|bot|tutor|coach|writer)\b"
    r"|.*\b(?:read|check|watch|send|ping|notify|message|remind|text|mail|post|draft) (?:me|my|the team)\b|.*(?:告诉我|帮我|给我(?:发|做|写)|提醒我|自动(?:记录|发送|回复|发布)))", re.IGNORECASE)


# "I sell candles online." tells who asks for the agent; it is no answer to what else is sold.
_OWNER = re.compile(r"^\W*(?:(?:hi|hello|hey)\W+)?(?:i|we|i'm|we're)\b(?: am| are)? (?:run|own|sell|have|make|offer|teach|do|an?|the|bake|rent)\b[^.\d]{0,60}\W*$|^我们?(?:是|开|卖|做)[^\d，。；]{1,16}[。！]?$", re.IGNORECASE)


# 税率13% answers what the rate is, and not how to pay less.
_RATE = re.compile(r"[^\d]{0,20}\d+(?:[.,]\d+)?\s?%[^\d]{0,20}")
_ASKS_RATE = re.compile(r"\bwhat\b|\bhow (?:much|high|many)\b|\brate\b|percent|%|率|多少|几|什么")


def _entries() -> List[Dict[str, str]]:
    """All passages with the words that they are found by: [{"text", "found_by"}]."""
    found = []
    for data in knowledge.of_kind("notes"):
        topics = data.get("topics") or []
        for number, passage in enumerate(data["passages"]):
            if not _TASK.search(passage):
                words = " ".join(topics[number]) if number < len(topics) else ""
                found.append({"text": passage, "found_by": (passage + " " + words.replace("_", " ")).strip()})
    return found


def passages() -> List[str]:
    """All passages of the notes."""
    return [entry["text"] for entry in _entries()]


def rank_notes(query: str, limit: int = 3) -> List[Dict[str, Any]]:
    """The passages that fit best: [{"text", "match"}]; one that cannot hold the kind of answer asked for counts for less."""
    entries = _entries()
    if not entries:
        return []
    index = ranker(tuple(entry["found_by"] for entry in entries))
    hits = index.search(query, limit=10)
    strange = index.strange(query)
    ranked = []
    for hit in hits:
        text = entries[hit.index]["text"]
        match = hit.coverage * (1.0 if fits_kind(query, text) else 0.6)
        label = _LABEL.match(text)
        # What stands behind "Tomatoes:" says nothing of carrots.
        if label and strange and len(entries) > 1 and not same_subject(query, label.group(1)):
            match *= 0.5
        if _RATE.fullmatch(text) and not _ASKS_RATE.search(query.lower()):
            match *= 0.4
        if strange and _OWNER.search(text):
            match *= 0.4
        ranked.append({"text": text, "match": round(match, 3)})
    return sorted(ranked, key=lambda entry: -entry["match"])[:limit]


def search_notes(query: str, limit: int = 3) -> Dict[str, Any]:
    """Find the passages of the notes that fit a question best.

    Args:
        query: the question or a few words.
        limit: at most so many passages, 1 to 10.

    Returns:
        {"passages": [{"text", "match": 0 to 1}]}, best first.

    Raises:
        ValueError: no passage has anything in common with the query.
    """
    ranked = rank_notes(query, max(1, min(10, limit)))
    if not ranked:
        raise Unknown("the notes say nothing about that", "资料里没有提到这一点")
    return {"passages": ranked}
