"""Extraction of e-mail addresses, links, phone numbers, dates and the like, or of a given pattern, from a text."""
from __future__ import annotations

import re
from typing import Any, Dict

__all__ = ["extract_kind", "extract_pattern"]

KINDS: Dict[str, str] = {
    "email": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    "url": r"https?://[^\s<>\"'，。；）)\]]+[^\s<>\"'，。；）)\].,;:!?]",
    "phone": r"(?<![A-Za-z0-9_.])(?:\+\d{1,3}[ -]?)?(?:\(\d{1,4}\)[ -]?)?\d{2,4}(?:[ -]?\d{2,4}){2,4}(?![\w.]*\w)",
    "date": r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{4}年\d{1,2}月(?:\d{1,2}[日号])?",
    "time": r"(?<!\d)(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?!\d)",
    "number": r"(?<![A-Za-z0-9_.])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]*\w)",
    "ipv4": r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])",
    "hashtag": r"(?<!\w)#[\w\u4e00-\u9fff]+",
    "mention": r"(?<!\w)@\w+",
    "money": r"[$€£¥￥]\s?\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*\s?(?:EUR|USD|GBP|CNY|RMB|JPY|元|欧元|美元|dollars?|euros?)",
}
_MAX_TEXT = 100_000
_MAX_FOUND = 200
# A quantifier on a group that holds a quantifier can take exponential time on a hostile text.
_NESTED = re.compile(r"\([^)]*[+*}][^)]*\)\s*[+*{]")


def extract_kind(text: str, kind: str) -> Dict[str, Any]:
    """Extract all pieces of one kind from a text, each once, in order.

    Args:
        text: the text to look through.
        kind: "email", "url", "phone", "date", "time", "number", "ipv4", "hashtag", "mention" or "money".

    Returns:
        {"kind", "found": [...], "count"}; at most 200 found.
    """
    if kind not in KINDS:
        raise ValueError("unknown kind %r; known are: %s" % (kind, ", ".join(KINDS)))
    found = list(dict.fromkeys(match.group(0) for match in re.finditer(KINDS[kind], text[:_MAX_TEXT])))
    return {"kind": kind, "found": found[:_MAX_FOUND], "count": len(found)}


def extract_pattern(text: str, pattern: str) -> Dict[str, Any]:
    """Extract what matches a regular expression.

    Args:
        text: the text to look through, at most 100,000 characters of it.
        pattern: a regular expression of at most 200 characters, without nested repetition.

    Returns:
        {"pattern", "found": [...], "count"}; a pattern with one group gives the group.
    """
    if len(pattern) > 200 or _NESTED.search(pattern) or pattern.count("*") + pattern.count("+") > 6:
        raise ValueError("the pattern is too complex")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError("not a valid pattern: %s" % error) from error
    found = [match.group(1 if compiled.groups == 1 else 0) or "" for match in compiled.finditer(text[:_MAX_TEXT])]
    return {"pattern": pattern, "found": found[:_MAX_FOUND], "count": len(found)}
