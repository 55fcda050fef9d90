"""Counts over a text: characters, words, sentences, reading time, most frequent words."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any, Dict

from runtime.refusal import Refused
from runtime.text import STOP_WORDS

__all__ = ["text_statistics", "count_occurrences"]

_CJK = r"[\u3400-\u4dbf\u4e00-\u9fff]"


def text_statistics(text: str) -> Dict[str, Any]:
    """Count what a text is made of. English counts by words, Chinese by characters.

    Args:
        text: the text.

    Returns:
        {"characters", "characters_without_spaces", "words", "chinese_characters",
        "sentences", "paragraphs", "lines", "average_word_length",
        "reading_seconds", "frequent_words": [[word, count], ...]}.
    """
    words = re.findall(r"[A-Za-z0-9]+(?:['’-][A-Za-z0-9]+)*", text)
    chinese = len(re.findall(_CJK, text))
    sentences = [part for part in re.split(r"(?<=[.!?])\s+|[。！？]+|\n{2,}", text) if part.strip()]
    frequent = Counter(word.lower() for word in words if word.lower() not in STOP_WORDS and len(word) > 1)
    frequent.update(pair for run in re.findall(_CJK + "{2,}", text) for pair in (run[i : i + 2] for i in range(len(run) - 1)))
    return {
        "characters": len(text),
        "characters_without_spaces": len(re.sub(r"\s", "", text)),
        "words": len(words),
        "chinese_characters": chinese,
        "sentences": len(sentences),
        "paragraphs": len([part for part in re.split(r"\n\s*\n", text) if part.strip()]),
        "lines": len(text.splitlines()),
        "average_word_length": round(sum(map(len, words)) / len(words), 2) if words else 0,
        # 230 English words or 400 Chinese characters a minute
        "reading_seconds": round(len(words) / 230 * 60 + chinese / 400 * 60),
        "frequent_words": [list(pair) for pair in sorted(frequent.items(), key=lambda pair: (-pair[1], pair[0]))[:8]],
    }


def count_occurrences(text: str, part: str) -> Dict[str, Any]:
    """Count how often a word or piece of text occurs, whatever its case.

    Args:
        text: the text to look through.
        part: what to count; an English word is counted as a whole word.

    Returns:
        {"part", "count"}.
    """
    if not part:
        raise Refused("nothing to count", "没有要统计的内容")
    pattern = re.escape(part)
    if re.fullmatch(r"\w+", part) and part.isascii():
        pattern = r"(?<!\w)%s(?!\w)" % pattern
    return {"part": part, "count": len(re.findall(pattern, text, re.IGNORECASE))}
