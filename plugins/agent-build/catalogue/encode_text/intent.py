"""When a question wants a text encoded or decoded."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

from runtime.question import Proposal, Question

DOES = True
READS_TEXT = True

_SCHEMES = [("base64", r"base\s?-?64"), ("url", r"\burl\b|percent|网址编码"), ("hex", r"\bhex(?:adecimal)?\b|十六进制"), ("html", r"\bhtml\b"),
            ("morse", r"\bmorse\b|摩斯|摩尔斯"), ("rot13", r"\brot-?13\b")]
_SCHEME_WORDS = "|".join(pattern for _, pattern in _SCHEMES)


def propose(question: Question) -> Optional[Proposal]:
    """A scheme's name, a direction and a text."""
    scheme = next((name for name, pattern in _SCHEMES if re.search(pattern, question.instruction)), None)
    decode = question.asks("decode", "decoded", "unescape", "from base64", "from hex", "from morse", "解码", "解密", "还原")
    encode = question.asks("encode", "encoded", "encoding", "escape", "to base64", "to morse", "in base64", "in morse", "as base64", "in hex", "编码", "转成", "转换为", "加密")
    previous = question.previous("encode_text", "decode_text")
    if previous and (question.is_follow_up or len(question.text) < 30) and not question.payload():
        if scheme and not question.after("of", "encode", "decode", "编码"):
            source = previous.arguments["text"] if not decode else previous.result["text"]
            return Proposal("decode_text" if decode else previous.function, {"text": source, "scheme": scheme}, 0.9)
        if re.search(r"decode (?:it|that)|(?:it|that) back|解码回|还原", question.lower):
            return Proposal("decode_text", {"text": previous.result["text"], "scheme": previous.arguments["scheme"]}, 0.92)
    if not (scheme or decode) or not (scheme and (encode or decode) or decode or question.asks("base64", "morse", "rot13", "摩斯")):
        return None
    text = question.payload() or _object(question)
    if not text:
        text = question.text_or_recent()
    if not text:
        return None
    function = "decode_text" if decode else "encode_text"
    # "255 in hex" asks for the number, not for its characters.
    sure = 0.7 if scheme == "hex" and not decode and re.fullmatch(r"\D*\d+\D*", question.text) else 0.95
    return Proposal(function, {"text": text, "scheme": scheme or "base64"}, sure)


def _object(question: Question) -> Optional[str]:
    """What is left of the message when the words of the request are taken away."""
    text = question.text
    chinese = re.search(r"(?:把|将|对)\s*(.+?)\s*(?:进行|用|转成|转换为|编码|解码|做|转为|加密|还原)", text)
    if chinese:
        return chinese.group(1).strip("“”\"「」 ")
    text = re.sub(r"(?i)^(?:please\s+|can you\s+|what is\s+|what's\s+)*", "", text)
    text = re.sub(r"(?i)\b(?:to|in|into|as|with|using|from|for)\s+(?:%s)(?:\s+encoding)?\b" % _SCHEME_WORDS, " ", text)
    text = re.sub(r"(?i)^(?:\W*(?:the|this|%s|encode[d]?|decode[d]?|encoding|decoding|escape|unescape|string|text|word|of|for|编码|解码)\W+)+" % _SCHEME_WORDS, " ", " " + text)
    text = re.sub(r"(?i)(?:\W+(?:%s|编码|解码|是什么|encoded|decoded))+\W*$" % _SCHEME_WORDS, "", text)
    return text.strip().rstrip("?？。").strip(" \"'“”") or None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the text."""
    return result["text"]
