"""Encoding and decoding: Base64, URL, hex, HTML, Morse, ROT13."""
from __future__ import annotations

import base64
import binascii
import codecs
import html
from typing import Any, Callable, Dict, Tuple
from urllib.parse import quote, unquote

from runtime.refusal import Refused

__all__ = ["encode_text", "decode_text"]

_MORSE = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
        "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.".split(),
    )
)
_LETTERS = {code: letter for letter, code in _MORSE.items()}


def _morse(text: str) -> str:
    return " / ".join(" ".join(_MORSE[char] for char in word if char in _MORSE) for word in text.lower().split())


def _unmorse(text: str) -> str:
    return " ".join("".join(_LETTERS[code] for code in word.split()) for word in text.split("/"))


def _unbase64(text: str) -> str:
    compact = "".join(text.split()).replace("-", "+").replace("_", "/")
    return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True).decode("utf-8")


_SCHEMES: Dict[str, Tuple[Callable[[str], str], Callable[[str], str]]] = {
    "base64": (lambda text: base64.b64encode(text.encode("utf-8")).decode("ascii"), _unbase64),
    "url": (lambda text: quote(text, safe=""), lambda text: unquote(text, errors="strict")),
    "hex": (lambda text: text.encode("utf-8").hex(), lambda text: bytes.fromhex(text).decode("utf-8")),
    "html": (html.escape, html.unescape),
    "morse": (_morse, _unmorse),
    "rot13": (lambda text: codecs.encode(text, "rot13"), lambda text: codecs.decode(text, "rot13")),
}


def encode_text(text: str, scheme: str = "base64") -> Dict[str, Any]:
    """Encode a text.

    Args:
        text: the text.
        scheme: "base64", "url", "hex", "html", "morse" or "rot13".

    Returns:
        {"scheme", "text": the encoded text}.
    """
    return {"scheme": scheme, "text": _scheme(scheme)[0](text)}


def decode_text(text: str, scheme: str = "base64") -> Dict[str, Any]:
    """Decode a text.

    Args:
        text: the encoded text.
        scheme: "base64", "url", "hex", "html", "morse" or "rot13".

    Returns:
        {"scheme", "text": the decoded text}.

    Raises:
        ValueError: the text is not encoded in this way.
    """
    try:
        return {"scheme": scheme, "text": _scheme(scheme)[1](text)}
    except (binascii.Error, UnicodeDecodeError, KeyError, ValueError) as error:
        if scheme not in _SCHEMES:
            raise
        raise Refused("that is not %s" % scheme, "这不是有效的 %s 编码" % scheme) from error


def _scheme(name: str) -> Tuple[Callable[[str], str], Callable[[str], str]]:
    if name not in _SCHEMES:
        raise Refused("unknown scheme %r; known are: %s" % (name, ", ".join(_SCHEMES)), "不认识的编码：%s" % name)
    return _SCHEMES[name]
