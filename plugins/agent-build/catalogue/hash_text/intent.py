"""When a question names a checksum."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True

_NAMES = re.compile(r"(?<![A-Za-z0-9])(sha-?(?:256|512|384|224|1)|md5|crc-?32|blake2b|sha3[-_]256)(?![A-Za-z0-9])", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """An algorithm's name (or the word hash) and a text."""
    named = _NAMES.search(question.text)
    if not named and not question.asks("hash", "checksum", "digest", "哈希", "散列", "校验和", "摘要值"):
        return None
    algorithm = named.group(1).lower().replace("-", "") if named else "sha256"
    algorithm = "sha3_256" if algorithm.startswith("sha3") and "256" in algorithm and algorithm != "sha384" else algorithm
    text = question.payload() or question.after("hash of", "checksum of", "digest of", "of", "hash", "for", "计算", "哈希", "求")
    chinese = re.search(r"(?:计算|求)?\s*[“\"「]?([^\s“”\"「」]+?)[”\"」]?\s*的\s*(?:sha|md5|crc|哈希)", question.text, re.IGNORECASE)
    if chinese and not question.payload():
        text = re.sub(r"^(?:请)?(?:计算|求|帮我算)(?:一下)?", "", chinese.group(1))
    if text is not None:
        text = re.sub(r"^(?:the )?(?:text|string|word)\s+", "", text)
        text = re.sub(r"\s+(?:with|using|in)\s+(?:%s)$" % _NAMES.pattern, "", text, flags=re.IGNORECASE)
    previous = question.previous("hash_text")
    if previous and (text is None or _NAMES.fullmatch(text)):
        return Proposal("hash_text", {"text": previous.arguments["text"], "algorithm": algorithm}, 0.9)
    if not text:
        text = question.text_or_recent()
    return Proposal("hash_text", {"text": text, "algorithm": algorithm}, 0.93) if text else None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give algorithm and value."""
    return "%s: %s" % (result["algorithm"], result["hex"])
