"""Finding known names in free text: plurals, several words, Chinese, and small typing errors."""
from __future__ import annotations

import difflib
import re
from functools import lru_cache
from typing import Dict, List, NamedTuple, Sequence, Tuple

from runtime.text import STOP_WORDS, has_cjk, stem

IRREGULAR = {"mouse": "mice", "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth", "goose": "geese", "person": "people"}
IRREGULAR.update({"woman": "women", "kid": "child", "kids": "children"})
IRREGULAR.update({plural: singular for singular, plural in list(IRREGULAR.items())})
# Words of names that say too little to find an item by.
_COMMON = STOP_WORDS | frozenset(
    "small medium large big regular mini little extra xl xxl size sized per each single double half full new old one two set pack piece pieces with without plus day hour week month year night "
    "person people home made fresh hot cold daily open closed price cost euro dollar class course service ticket item name number special standard basic".split()
)
# Common words that are one letter away from names people give ("there" is not "three", "plan" not "plum").
_NEVER_TYPOS = STOP_WORDS | frozenset(
    "there three these those their then than them today total order price prices cheap cheaper most more less many much please thank thanks could should would which where "
    "other another still under over after before again every never always people person place point first right great small large long short time times week month year "
    "open close closed hours hour minutes euro euros dollar dollars pounds cost costs need take make give have want buying with".split()
)


class Mention(NamedTuple):
    """A known name found in a text: which one, where it stands, and whether only a part of it is named."""

    name: str
    start: int
    end: int
    partly: bool = False


def find_mentions(text: str, names: Sequence[str]) -> List[Mention]:
    """All known names that the text mentions, in the text's order, longest names first where they overlap."""
    found: List[Mention] = []
    taken = [False] * len(text)
    lower = text.lower()
    for name in sorted(set(names), key=lambda name: (-len(name), name)):
        if not _may_occur(name, lower):
            continue
        for match in _pattern(name).finditer(text):
            if match.end() > match.start() and not any(taken[match.start() : match.end()]):
                taken[match.start() : match.end()] = [True] * (match.end() - match.start())
                found.append(Mention(name, match.start(), match.end()))
    found.extend(_near_misses(text, names, found))
    return sorted(found, key=lambda mention: mention.start)


def _may_occur(name: str, lower: str) -> bool:
    """A cheap look before the pattern is made: the name's first letters must be there."""
    head = re.match(r"\w+", name.lower())
    return head is None or head.group(0)[: max(1, len(head.group(0)) - 3)] in lower or head.group(0) in IRREGULAR


@lru_cache(maxsize=4096)
def _pattern(name: str) -> "re.Pattern[str]":
    if has_cjk(name):
        return re.compile(r"\s*".join(map(re.escape, name.split())), re.IGNORECASE)
    words = re.findall(r"\w+|[^\w\s]", name)
    parts = [_word(word, last=index == len(words) - 1) for index, word in enumerate(words)]
    # The S of "margherita S" is no plural: a letter alone stands apart.
    joined = parts[0] + "".join((r"[\s\-]+" if len(word) == 1 and word.isalpha() else r"[\s\-]*") + part for word, part in zip(words[1:], parts[1:]))
    return re.compile(r"(?<![A-Za-z0-9_À-ÿ])" + joined + r"(?![A-Za-z0-9_À-ÿ])", re.IGNORECASE)


def _word(word: str, last: bool) -> str:
    """A word in singular or plural, whichever the list has."""
    if not last or not word.isalpha() or len(word) < 3:
        return re.escape(word)
    root = word.lower()
    if root.endswith("ies"):
        forms = [root, root[:-3] + "y", root[:-1]]
    elif root.endswith("ves"):
        forms = [root, root[:-3] + "f", root[:-3] + "fe", root[:-1]]
    elif root.endswith("es"):
        forms = [root, root[:-2], root[:-1]]
    elif root.endswith("s") and not root.endswith("ss"):
        forms = [root, root[:-1]]
    elif root.endswith("y") and root[-2] not in "aeiou":
        forms = [root, root[:-1] + "ies", root + "s"]
    elif root.endswith(("ch", "sh", "x", "z", "s", "o")):
        forms = [root + "es", root + "s", root]
    elif root.endswith("fe"):
        forms = [root, root + "s", root[:-2] + "ves"]
    elif root.endswith("f"):
        forms = [root, root + "s", root[:-1] + "ves"]
    else:
        forms = [root, root + "s"]
    if root in IRREGULAR:
        forms.append(IRREGULAR[root])
    if root in ("child", "children", "kid", "kids"):
        forms += ["child", "children", "kid", "kids"]
    return "(?:%s)" % "|".join(sorted(map(re.escape, set(forms)), key=len, reverse=True))


def _near_misses(text: str, names: Sequence[str], found: Sequence[Mention]) -> List[Mention]:
    """Words that are one typing error away from a name ("aple", "capuccino"; "peer" is not "pear"). Never numbers."""
    roots: Dict[str, str] = {}
    several: Dict[str, str] = {}
    for name in names:
        if re.fullmatch(r"[A-Za-z]{4,}", name):
            roots[name.lower().rstrip("s")] = name
        elif re.fullmatch(r"[A-Za-z]+(?:[ -][A-Za-z]+)+", name) and len(name) >= 8:
            several[name.lower().rstrip("s")] = name
    if not roots and not several:
        return []
    near: List[Mention] = []

    def free(start: int, end: int) -> bool:
        return not any(start < mention.end and mention.start < end for mention in [*found, *near])

    words = list(re.finditer(r"[A-Za-zäöüéèßñ]{2,}", text))
    for name, whole in several.items():
        count = len(re.findall(r"[a-z]+", name))
        for at in range(len(words) - count + 1):
            span = text[words[at].start() : words[at + count - 1].end()].lower().rstrip("s")
            if span[0] != name[0] or abs(len(span) - len(name)) > 2:
                continue
            if difflib.SequenceMatcher(None, span, name).ratio() >= 0.88 and free(words[at].start(), words[at + count - 1].end()):
                near.append(Mention(whole, words[at].start(), words[at + count - 1].end()))
                break
    for match in words:
        word = match.group(0).lower()
        if len(word) < 4 or word in _NEVER_TYPOS or not free(match.start(), match.end()):
            continue
        alike = [root for root in roots if abs(len(root) - len(word)) < 3 and (root[0] == word[0] or len(word) > 5 and root[-1] == word.rstrip("s")[-1])]
        close = difflib.get_close_matches(word.rstrip("s"), alike, n=1, cutoff=0.8 if len(word) > 6 else 0.86)
        if close:
            near.append(Mention(roots[close[0]], match.start(), match.end()))
    return near


_PERIODS = {"monthly": "month", "annual": "year", "yearly": "year", "annually": "year", "weekly": "week", "daily": "day", "hourly": "hour"}


def find_parts(text: str, names: Sequence[str], taken: Sequence[Mention]) -> List[Tuple[Mention, List[str]]]:
    """Words of the text that are part of known names: for each such place all names it may mean ("bread": rye bread, white bread)."""
    found: List[Tuple[Mention, List[str]]] = []

    def free(start: int, end: int) -> bool:
        return not any(start < mention.end and mention.start < end for mention in taken)

    words: Dict[str, List[str]] = {}
    for name in names:
        for word in re.findall(r"[a-z]{3,}", name.lower()):
            if word not in _COMMON:
                words.setdefault(stem(word), []).append(name)
            if word in _PERIODS:  # "for 3 months" names the monthly card
                words.setdefault(_PERIODS[word], []).append(name)
    for match in re.finditer(r"[A-Za-z]{3,}", text):
        meant = _part(match.group(0).lower(), words)
        if meant and (match.group(0).lower() not in _COMMON or stem(match.group(0).lower()) in _PERIODS.values()) and free(match.start(), match.end()):
            last = found[-1] if found else None
            both = [name for name in meant if last and name in last[1]]
            if last and both and not text[last[0].end : match.start()].strip(" -"):  # two words of one name
                found[-1] = (last[0]._replace(end=match.end(), name=both[0]), both)
            else:
                found.append((Mention(meant[0], match.start(), match.end(), True), list(dict.fromkeys(meant))))
    for match in re.finditer(r"[A-Za-z]{3,}", text):
        short = match.group(0).lower()
        # "10h dev" and "2 cappu": who counts something may name it by its beginning.
        counted = re.search(r"\d\s*(?:[a-z]+\s+)?(?:of\s+)?$", text[: match.start()].lower())
        if not counted or short in _COMMON or short in _NEVER_TYPOS or not free(match.start(), match.end()) or any(m.start < match.end() and match.start() < m.end for m, _ in found):
            continue
        begun = [name for name in names if any(word.startswith(short) and len(word) >= len(short) + 3 for word in re.findall(r"[a-z]+", name.lower()))]
        if len(begun) == 1:
            found.append((Mention(begun[0], match.start(), match.end(), True), begun))
    codes: Dict[str, List[str]] = {}
    for name in names:
        for code in re.findall(r"(?<![A-Za-z0-9])(?:[A-Za-z]{1,3}\d{1,4}|[A-Z]{2,4}(?![a-z]))(?![A-Za-z0-9])", name):
            codes.setdefault(code.lower(), []).append(name)
    for match in re.finditer(r"(?<![A-Za-z0-9])[A-Za-z]{1,4}\d{0,4}(?![A-Za-z0-9])", text) if codes else []:
        meant = codes.get(match.group(0).lower(), [])
        taken_here = any(mention.start < match.end() and match.start() < mention.end for mention, _ in found)
        if meant and free(match.start(), match.end()) and not taken_here:
            found.append((Mention(meant[0], match.start(), match.end(), True), meant))
    if has_cjk(text):
        found.extend(_chinese_parts(text, [name for name in names if has_cjk(name)], [*taken, *(mention for mention, _ in found)]))
    return sorted(found, key=lambda pair: pair[0].start)


def _part(word: str, words: Dict[str, List[str]]) -> List[str]:
    """The names that a word is part of: in singular or plural, or with one typing error."""
    for form in (stem(word), stem(word[:-3] + "f") if word.endswith("ves") else "", stem(word[:-3] + "fe") if word.endswith("ves") else ""):
        if form in words:
            return words[form]
    if len(word) < 6 or word in _NEVER_TYPOS:
        return []
    close = difflib.get_close_matches(stem(word), [known for known in words if known[0] == word[0]], n=1, cutoff=0.82)
    return words[close[0]] if close else []


_ZH_COMMON = frozenset("大小中杯份个碗套餐元的价格单双人每次月年天小时分钟课程门票套全半成人儿童普通标准")


_ZH_BETWEEN = frozenset("的个只斤份瓶盒杯条台本张件套箱袋包位碗盘间晚天次人要买来点给有卖和跟与加在是去到从问请坐乘等查看用做吃喝租订住呢那这把一二两三四五六七八九十半")


def _chinese_parts(text: str, names: Sequence[str], taken: Sequence[Mention]) -> List[Tuple[Mention, List[str]]]:
    """The longest pieces (two characters or more) that text and names share."""
    found: List[Tuple[Mention, List[str]]] = []
    at = 0
    while at < len(text) - 1:
        best = 0
        for length in range(min(8, len(text) - at), 1, -1):
            piece = text[at : at + length]
            if not all("\u4e00" <= char <= "\u9fff" for char in piece) or all(char in _ZH_COMMON for char in piece):
                continue
            if any(at < mention.end and mention.start < at + length for mention in taken):
                continue
            meant = [name for name in names if piece in name]
            ahead = text[at - 1 : at]
            if meant and all(name.index(piece) > 0 for name in meant) and "\u4e00" <= ahead <= "\u9fff" and ahead not in _ZH_BETWEEN:
                meant = [name for name in meant if ahead in name]  # 南门线 is neither 东门线 nor 西门线
            if meant:
                found.append((Mention(meant[0], at, at + length, True), meant))
                best = length
                break
        at += best or 1
    return found
