"""When a question wants a text counted."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True


def propose(question: Question) -> Optional[Proposal]:
    """Counting words plus a text to count."""
    head = question.text[:300]
    times = re.search(r"how (?:many times|often) (?:does|is|do)?\s*(?:the word )?[\"'“]?([\w-]+)[\"'”]?\s*(?:occurs?|appears?|used|come)", head, re.IGNORECASE) or re.search(
        r"[\"“「]?([\w\u4e00-\u9fff]+?)[\"”」]?\s*(?:这个词)?出现(?:了)?(?:多少|几)次", head)
    text = question.text_or_recent()
    if text is None:
        return None
    if times and times.group(1) != text:
        return Proposal("count_occurrences", {"text": text, "part": times.group(1)}, 0.93)
    if question.asks(
        "how many words", "how many characters", "how many sentences", "how many lines", "how many paragraphs", "how many letters", "word count",
        "count words", "count the words", "count characters", "count the characters", "character count", "text statistics", "statistics", "reading time",
        "frequent words", "most common words", "word frequency", "analyse this text", "analyze this text", "length of",
        "多少字", "多少个字", "字数", "几个字", "词频", "统计", "多少个词", "多少句", "阅读时间", "多长",
    ) and not re.fullmatch(r"[\d\s,.;，、-]+", text):
        return Proposal("text_statistics", {"text": text}, 0.9)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """List the counts."""
    zh = language == "zh"
    if function == "count_occurrences":
        return ("“%s”出现 %d 次。" if zh else '"%s" occurs %d time(s).') % (result["part"], result["count"])
    common = ", ".join("%s (%d)" % tuple(pair) for pair in result["frequent_words"][:5])
    if zh:
        return "字符 %(characters)d（不含空白 %(characters_without_spaces)d），汉字 %(chinese_characters)d，英文单词 %(words)d，句子 %(sentences)d，段落 %(paragraphs)d，行 %(lines)d，阅读约 %(reading_seconds)d 秒。" % result + (
            "\n高频词：" + common if common else "")
    text = "%(words)d words, %(characters)d characters (%(characters_without_spaces)d without spaces), %(sentences)d sentences, %(paragraphs)d paragraphs, %(lines)d lines; about %(reading_seconds)d seconds to read." % result
    if result["chinese_characters"]:
        text += " Chinese characters: %d." % result["chinese_characters"]
    return text + ("\nMost frequent: " + common if common else "")
