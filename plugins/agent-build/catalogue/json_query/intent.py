"""When a question brings JSON text along, or goes on about the JSON of an earlier question."""
from __future__ import annotations

import itertools
import json
import re
from typing import Any, Dict, Optional, Tuple

from runtime.question import Proposal, Question
from tools.json_query import keys_in

DOES = True
READS_TEXT = True

_FUNCTIONS = ("check_json", "json_path", "find_key", "format_json")
_MAX_STARTS = 30
_DECODER = json.JSONDecoder()
_PATH = re.compile(r"(?<![A-Za-z0-9_.])\$?\.?[A-Za-z_]\w*(?:\[(?:\d+|\*)\]|\.[A-Za-z_]\w*)+|\$[.\[][\w.\[\]*]+")


def propose(question: Question) -> Optional[Proposal]:
    """Take the JSON of the message, then read what is asked about it."""
    text, instruction = _json_block(question.text)
    sure = 0.95
    if text is None:
        previous = question.previous(*_FUNCTIONS)
        if previous is None:
            return None
        text, instruction, sure = previous.arguments["text"], question.text, 0.68
    lower = instruction.lower()
    path = _PATH.search(instruction)
    if path:
        return Proposal("json_path", {"text": text, "path": path.group(0)}, sure)
    if re.search(r"\bformat|pretty|indent|beautify|minify|compact|格式化|美化|压缩", lower):
        small = re.search(r"minify|compact|压缩", lower)
        return Proposal("format_json", {"text": text, "indent": 0 if small else 2}, sure)
    named = [key for key in keys_in(text) if re.search(r"(?<!\w)%ss?(?!\w)" % re.escape(key.lower()), lower)]
    if named:
        return Proposal("find_key", {"text": text, "key": named[-1]}, sure)
    if sure > 0.9 or re.search(r"valid|check|keys|structure|有效|校验|检查|结构|哪些键|字段", lower):
        return Proposal("check_json", {"text": text}, sure - 0.1)
    return None


def _json_block(text: str) -> Tuple[Optional[str], str]:
    """The JSON part of a message (also when it is broken), and the rest."""
    best = (0, 0)
    # A few places are enough, and each may cost a walk through the text.
    for match in itertools.islice(re.finditer(r"(?<!\w)[{\[]", text), _MAX_STARTS):
        if match.start() < best[1]:
            continue
        try:
            end = _DECODER.raw_decode(text, match.start())[1]
        except (ValueError, RecursionError):
            continue
        if end - match.start() > best[1] - best[0]:
            best = (match.start(), end)
    if best[1]:
        return text[best[0] : best[1]], text[: best[0]] + " " + text[best[1] :]
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]")) + 1
    rest = text[: max(start, 0)] + " " + text[end:]
    if 0 <= start < end and "json" in rest.lower():
        return text[start:end], rest
    return None, text


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Show the value, or the shape."""
    zh = language == "zh"
    if function == "format_json":
        return "```json\n%s\n```" % result["json"]
    if function == "json_path":
        return "%s = %s" % (result["path"], json.dumps(result["value"], ensure_ascii=False))
    if function == "find_key":
        lines = ["- %s = %s" % (found["path"], json.dumps(found["value"], ensure_ascii=False)) for found in result["found"]]
        head = ("键 %s 共出现 %d 次：" if zh else 'The key "%s" occurs %d time(s):') % (result["key"], result["count"])
        return "\n".join([head] + lines)
    if not result["valid"]:
        return ("JSON 无效：" if zh else "The JSON is not valid: ") + result["error"]
    text = ("JSON 有效：%s，%d 项。" if zh else "The JSON is valid: %s with %d entries.") % (result["type"], result["size"])
    return text + ((" 键：" if zh else " Keys: ") + ", ".join(result["keys"]) if result["keys"] else "")
