"""When a question wants a text counted."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True


_COUNTS = re.compile(
    r"\bhow many (?:\w+ )?(?:words|char\w*|sentences|lines|paragraphs|letters|spaces)\b|\b(?:word|character|letter|line|sentence)s? count\b|\bcount (?:the |all )?(?:words|char\w*|letters|lines|sentences)\b|\bcount (?:this|it|that)\b|\btext statistics\b|"
    r"\bstatistics\b|\breading time\b|\bhow long (?:does it take )?to read\b|\b(?:most )?(?:frequent|common) words\b|\bword frequency\b|\banaly[sz]e (?:this|the|my) text\b|\b(?:length of|how long is)\b.*\btext\b|\bwordcount\b|\bhow many words\b|"
    r"多少个?(?:汉字|字|词|句|字符|单词|段|行)|字数|几个(?:字|词|句)|几句|词频|统计|阅读时间|多长时间读|高频词")
_OBJECT = [
    re.compile(r"(?:words|char\w*|letters|sentences|lines|count)\s+(?:are\s+|is\s+)?(?:there\s+)?(?:in|of|for|does|has)\s+(?:the |this |my )?(?:sentence |text |phrase |following |word |line )*(.+?)(?:\s+have)?\s*\??$", re.IGNORECASE | re.DOTALL),
    re.compile(r"^(?:请问|请|帮我|统计一下|统计|数一下|数数)*[“\"「]?(.{2,}?)[”\"」]?(?:这句话|这段话|这段文字|这个词)?(?:里|中)?(?:一共|总共)?有(?:多少|几)个?(?:汉字|字符|字|词|单词)", re.DOTALL),
]
_POINTS_BACK = re.compile(r"\W*(?:it|this|that|there|the (?:text|sentence|paragraph|above)|this (?:text|one|sentence)|above|them|这|那|它|这个|这段|这句|上面|刚才(?:那段)?)\W*", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """Counting words plus a text to count."""
    head = question.text[:300]
    times = re.search(r"how (?:many times|often) (?:does|is|do|did)?\s*(?:the (?:word|letter) )?[\"'“‘]?([\w-]+)[\"'”’]?\s*(?:occurs?|appears?|used|comes?|mentioned|show)", head, re.IGNORECASE) or re.search(
        r"how many (?:times )?[\"'“‘]([\w-]+)[\"'”’]s?\s+(?:are|is|in)\b", head, re.IGNORECASE) or re.search(
        r"[\"“「]?([\w\u4e00-\u9fff]+?)[\"”」]?\s*(?:这个词|这个字)?出现(?:了|过)?(?:多少|几)次", head)
    counts = bool(_COUNTS.search(question.instruction))
    if not times and not counts:
        return None
    text = question.payload()
    if text is None or (times and text == times.group(1)):
        found = next((match for pattern in _OBJECT for match in [pattern.search(question.text)] if match), None)
        text = found.group(1).strip().strip("\"“”'") if found and not _POINTS_BACK.fullmatch(found.group(1)) and len(found.group(1).strip()) > 1 else None
        if times:
            behind = re.search(r"\bin\s*:?\s*(.{8,})$", question.text, re.IGNORECASE | re.DOTALL)
            text = behind.group(1).strip().strip("\"“”") if behind and not _POINTS_BACK.fullmatch(behind.group(1)) else None
    text = text or question.text_or_recent()
    if text is None:
        if counts and not question.figures:
            return Proposal("text_statistics", {}, 0.7, ask={"en": "Which text shall I count? Paste it behind a colon.", "zh": "请把要统计的文字发给我（放在冒号后面）。"})
        return None
    if times and times.group(1) != text:
        return Proposal("count_occurrences", {"text": text, "part": times.group(1)}, 0.93)
    if not re.fullmatch(r"[\d\s,.;，、-]+", text):
        return Proposal("text_statistics", {"text": text}, 0.9)
    return None


def _counted(number: int, unit: str) -> str:
    return "%d %s%s" % (number, unit, "" if number == 1 else "s")


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """List the counts."""
    zh = language == "zh"
    if function == "count_occurrences":
        return ("“%s”出现 %d 次。" if zh else '"%s" occurs %s.') % (result["part"], result["count"] if zh else _counted(result["count"], "time"))
    common = ", ".join("%s (%d)" % tuple(pair) for pair in result["frequent_words"][:5])
    if zh:
        return "字符 %(characters)d（不含空白 %(characters_without_spaces)d），汉字 %(chinese_characters)d，英文单词 %(words)d，句子 %(sentences)d，段落 %(paragraphs)d，行 %(lines)d，阅读约 %(reading_seconds)d 秒。" % result + (
            "\n高频词：" + common if common else "")
    counts = {name: _counted(result[name], name[:-1]) for name in ("words", "characters", "sentences", "paragraphs", "lines")}
    text = "%(words)s, %(characters)s (%(bare)d without spaces), %(sentences)s, %(paragraphs)s, %(lines)s; about %(seconds)s to read." % dict(
        counts, bare=result["characters_without_spaces"], seconds=_counted(result["reading_seconds"], "second"))
    if result["chinese_characters"]:
        text += " Chinese characters: %d." % result["chinese_characters"]
    return text + ("\nMost frequent: " + common if common else "")
