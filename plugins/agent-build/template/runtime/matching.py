"""Finding known names in free text: plurals, several words, Chinese, and small typing errors."""
from __future__ import annotations

import difflib
import re
from typing import Dict, List, NamedTuple, Sequence

from runtime.text import has_cjk


_IRREGULAR = {"mouse": "mice", "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth", "goose": "geese", "person": "people"}
_IRREGULAR.update({plural: singular for singular, plural in list(_IRREGULAR.items())})


class Mention(NamedTuple):
    """A known name found in a text: which one, and where it stands."""

    name: str
    start: int
    end: int


def find_mentions(text: str, names: Sequence[str]) -> List[Mention]:
    """All known names that the text mentions, in the text's order, longest names first where they overlap."""
    found: List[Mention] = []
    taken = [False] * len(text)
    for name in sorted(set(names), key=lambda name: (-len(name), name)):
        for match in _pattern(name).finditer(text):
            if not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                found.append(Mention(name, match.start(), match.end()))
    if not found:
        found = _near_misses(text, names)
    return sorted(found, key=lambda mention: mention.start)


def _pattern(name: str) -> "re.Pattern[str]":
    if has_cjk(name):
        return re.compile(re.escape(name), re.IGNORECASE)
    words = re.findall(r"\w+|[^\w\s]", name)
    return re.compile(
        r"(?<!\w)" + r"[\s\-]*".join(_word(word, last=index == len(words) - 1) for index, word in enumerate(words)) + r"(?!\w)",
        re.IGNORECASE,
    )


def _word(word: str, last: bool) -> str:
    """A word in singular or plural, whichever the list has."""
    if not last or not word.isalpha() or len(word) < 3:
        return re.escape(word)
    root = word.lower()
    if root.endswith("ies"):
        forms = [root, root[:-3] + "y"]
    elif root.endswith("es"):
        forms = [root, root[:-2], root[:-1]]
    elif root.endswith("s") and not root.endswith("ss"):
        forms = [root, root[:-1]]
    elif root.endswith("y") and root[-2] not in "aeiou":
        forms = [root, root[:-1] + "ies"]
    elif root.endswith(("ch", "sh", "x", "z", "s", "o")):
        forms = [root + "es", root + "s", root]
    elif root.endswith("fe"):
        forms = [root, root + "s", root[:-2] + "ves"]
    elif root.endswith("f"):
        forms = [root, root + "s", root[:-1] + "ves"]
    else:
        forms = [root, root + "s"]
    if root in _IRREGULAR:
        forms.append(_IRREGULAR[root])
    return "(?:%s)" % "|".join(sorted(map(re.escape, set(forms)), key=len, reverse=True))


def _near_misses(text: str, names: Sequence[str]) -> List[Mention]:
    """Single words that are one typing error away from a one-word name ("aple", "peer" is not "pear")."""
    roots: Dict[str, str] = {name.lower().rstrip("s"): name for name in names if re.fullmatch(r"[A-Za-z]{4,}", name)}
    found = []
    for match in re.finditer(r"[A-Za-z]{4,}", text):
        root = match.group(0).lower().rstrip("s")
        close = difflib.get_close_matches(root, list(roots), n=1, cutoff=0.86)
        if close:
            found.append(Mention(roots[close[0]], match.start(), match.end()))
    return found
