"""When a question names a web address to fetch."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True

_URL = re.compile(r"https?://[^\s<>\"'，。；）)\]]+", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """An address, best with a word such as "fetch" or "open"."""
    match = _URL.search(question.text)
    if match is None or len(question.text) > len(match.group(0)) + 160:
        return None
    asked = question.has("fetch", "get", "download", "open", "read", "load", "visit", "check", "what is on", "content", "title", "page",
                         "抓取", "获取", "打开", "读取", "下载", "访问", "网页", "内容")
    alone = len(question.text) - len(match.group(0)) < 4
    if question.has("encode", "decode", "hash", "sha256", "md5", "编码", "解码"):
        return None
    return Proposal("fetch_url", {"url": match.group(0).rstrip(".,;:!?")}, 0.9 if asked or alone else 0.55)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give title, status and the head of the text."""
    head = "%s (HTTP %d, %s)" % (result["title"] or result["url"], result["status"], result["content_type"] or "?")
    text = result["text"][:1500]
    more = result["truncated"] or len(result["text"]) > 1500
    return "%s\n\n%s%s" % (head, text, ("\n…（已截断）" if language == "zh" else "\n… (cut)") if more else "")
