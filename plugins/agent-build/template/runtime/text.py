"""Words and languages: what routing and matching need to read a text."""
from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import List

_CJK = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK_RUN = re.compile("[%s]+" % _CJK)
_TOKEN = re.compile(r"[a-z0-9]+(?:[.'][a-z0-9]+)*|[%s]+" % _CJK)

STOP_WORDS = frozenset(
    """a an and any are as at be been but by can could did do does for from had has have how i if in into is it
    its me my of on or our please shall should so some tell than that the their them then there these they this
    those to us was we were what when where which who whom whose why will with would you your about much many
    want like need know say get please there here just also really go going come happen happens thing things stuff u ur pls plz thx tho though btw lol take takes taking often ever new exactly usually actually find no now r n y w gonna wanna gotta lemme anyone everyone everybody maybe could've her his him she he hers theirs something anything someone put up out off down over day days pick picked i'd i'm im ive dont cant it's that's what's where's wheres whats""".split()
)

_ZH_STOP = re.compile(
    "请问|你们|我们|他们|咱们|可以|能够|怎么样|怎么办|怎么|怎样|什么时候|什么|如何|哪些|哪个|哪里|哪儿|是否|一下|有没有|这个|那个|想要|需要|多少钱|多少|多久|多长|几点|行不行|能不能|可不可以|[吗呢吧啊的了是我你您他她它想要啥谁能会有在]"
)

def language_of(text: str) -> str:
    """Return "zh" when the text holds Chinese characters in earnest, else "en"."""
    chinese = sum(len(run) for run in _CJK_RUN.findall(text))
    latin_words = len(re.findall(r"[A-Za-z]{2,}", text))
    return "zh" if chinese >= 2 and chinese >= latin_words else "en"


def has_cjk(text: str) -> bool:
    """True when the text holds at least one Chinese character."""
    return bool(_CJK_RUN.search(text))


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Reduce an English word to a rough stem, so that "berries" meets "berry" and "prices" meets "price"."""
    if len(word) <= 3 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("sses", "shes", "ches", "xes", "zes", "oes"):
        if word.endswith(ending):
            return word[:-2]
    if word.endswith("ing") and len(word) > 5:
        word = word[:-3]
    elif word.endswith("ed") and len(word) > 4:
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def unaccented(text: str) -> str:
    """The text in small letters without accents: "Café" is found by "cafe"."""
    lower = text.lower()
    if lower.isascii():
        return lower
    return "".join(char for char in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(char))


def tokens(text: str) -> List[str]:
    """Split a text into search terms: stemmed English words, and bigrams of Chinese characters."""
    found: List[str] = []
    for token in _TOKEN.findall(unaccented(text)):
        if token[0].isascii():
            if token not in STOP_WORDS and stem(token) not in STOP_WORDS:
                found.append(stem(token))
            continue
        for run in _ZH_STOP.split(token):
            found.extend([run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)])
    return found
