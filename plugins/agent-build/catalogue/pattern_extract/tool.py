"""Extraction of e-mail addresses, links, phone numbers, dates and the like, or of a given pattern, from a text."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, Dict

from runtime.refusal import Refused

__all__ = ["extract_kind", "extract_pattern"]

KINDS: Dict[str, str] = {
    "email": r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}",
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
_SECONDS = 2.0
# Runs a foreign pattern in a process of its own: some patterns take for ever, and only a process can be stopped.
_CHILD = """
import json, re, sys

pattern, text, limit = json.load(sys.stdin)
compiled = re.compile(pattern)
found = [match.group(1 if compiled.groups == 1 else 0) or "" for match in compiled.finditer(text)]
json.dump([found[:limit], len(found)], sys.stdout)
"""


def extract_kind(text: str, kind: str) -> Dict[str, Any]:
    """Extract all pieces of one kind from a text, each once, in order.

    Args:
        text: the text to look through.
        kind: "email", "url", "phone", "date", "time", "number", "ipv4", "hashtag", "mention" or "money".

    Returns:
        {"kind", "found": [...], "count"}; at most 200 found.
    """
    if kind not in KINDS:
        raise Refused("unknown kind %r; known are: %s" % (kind, ", ".join(KINDS)), "不认识的类型：%s" % kind)
    found = list(dict.fromkeys(match.group(0) for match in re.finditer(KINDS[kind], text[:_MAX_TEXT])))
    return {"kind": kind, "found": found[:_MAX_FOUND], "count": len(found)}


def extract_pattern(text: str, pattern: str) -> Dict[str, Any]:
    """Extract what matches a regular expression.

    Args:
        text: the text to look through, at most 100,000 characters of it.
        pattern: a regular expression of at most 200 characters.

    Returns:
        {"pattern", "found": [...], "count"}; a pattern with one group gives the group.

    Raises:
        ValueError: the pattern is not valid, or takes longer than two seconds.
    """
    if len(pattern) > 200:
        raise Refused("the pattern is longer than 200 characters", "表达式超过 200 个字符")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise Refused("not a valid pattern: %s" % error, "正则表达式无效") from error
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _CHILD],
            input=json.dumps([pattern, text[:_MAX_TEXT], _MAX_FOUND]),
            capture_output=True,
            encoding="utf-8",
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("the pattern takes too long on this text", "这个表达式在这段文字上耗时太久") from error
    except subprocess.CalledProcessError as error:
        raise Refused("the pattern failed on this text", "这个表达式在这段文字上失败了") from error
    found, count = json.loads(done.stdout)
    return {"pattern": pattern, "found": found, "count": count}
