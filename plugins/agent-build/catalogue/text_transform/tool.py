"""Rewriting of a text by rule: case, order of lines, duplicates, slugs, replacing."""
from __future__ import annotations

import re
import unicodedata
from typing import Any, Callable, Dict

from runtime.refusal import Refused

__all__ = ["transform_text", "replace_in_text"]


def _words(text: str) -> "list[str]":
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return [word.lower() for word in re.findall(r"\w+", spaced.replace("_", " "))]


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "-".join(_words("".join(char for char in plain if not unicodedata.combining(char))))


def _camel(text: str) -> str:
    words = _words(text)
    return "".join(words[:1] + [word.capitalize() for word in words[1:]])


_RULES: Dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": lambda text: re.sub(r"[A-Za-z]+('[A-Za-z]+)?", lambda match: match.group(0).capitalize(), text),
    "sentence": lambda text: text[:1].upper() + text[1:].lower(),
    "reverse": lambda text: text[::-1],
    "slug": _slug,
    "snake": lambda text: "_".join(_words(text)),
    "camel": _camel,
    "trim": lambda text: re.sub(r"[ \t]+", " ", "\n".join(line.strip() for line in text.strip().splitlines())),
    "sort_lines": lambda text: "\n".join(sorted(text.splitlines(), key=str.lower)),
    "unique_lines": lambda text: "\n".join(dict.fromkeys(text.splitlines())),
    "number_lines": lambda text: "\n".join("%d. %s" % pair for pair in enumerate(text.splitlines(), 1)),
}


def transform_text(text: str, rule: str) -> Dict[str, Any]:
    """Rewrite a text by a rule.

    Args:
        text: the text.
        rule: upper, lower, title, sentence, reverse, slug, snake, camel, trim,
            sort_lines, unique_lines or number_lines.

    Returns:
        {"rule", "result"}.
    """
    if rule not in _RULES:
        raise Refused("unknown rule %r; known are: %s" % (rule, ", ".join(_RULES)), "不认识的规则：%s" % rule)
    return {"rule": rule, "result": _RULES[rule](text)}


def replace_in_text(text: str, old: str, new: str) -> Dict[str, Any]:
    """Replace every occurrence of a piece of text by another.

    Args:
        text: the text.
        old: what to replace; not empty.
        new: what to put there.

    Returns:
        {"result", "count": how many were replaced}.
    """
    if not old:
        raise Refused("nothing to replace", "没有要替换的内容")
    return {"result": text.replace(old, new), "count": text.count(old)}
