"""Words, numbers and languages: what routing and matching need to read a text."""
from __future__ import annotations

import re
from functools import lru_cache
from typing import List, Optional

_CJK = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK_RUN = re.compile("[%s]+" % _CJK)
_TOKEN = re.compile(r"[a-z0-9]+(?:[.'][a-z0-9]+)*|[%s]+" % _CJK)

STOP_WORDS = frozenset(
    """a an and any are as at be been but by can could did do does for from had has have how i if in into is it
    its me my of on or our please shall should so some tell than that the their them then there these they this
    those to us was we were what when where which who whom whose why will with would you your about much many
    want like need know say get please there here just also really""".split()
)

_ZH_STOP = re.compile(
    "请问|你们|我们|他们|咱们|可以|能够|怎么样|怎么|怎样|什么时候|什么|如何|哪些|哪个|是否|一下|有没有|这个|那个|想要|需要|[吗呢吧啊的了是我你您他她它想要]"
)

_NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
}
_NUMBER_WORDS.update(thirty=30, forty=40, fifty=50, sixty=60, seventy=70, eighty=80, ninety=90, dozen=12)
_NUMBER_WORD = re.compile(
    r"\b(?:(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[- ](one|two|three|four|five|six|seven|eight|nine)"
    r"|(%s))\b" % "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True)),
    re.IGNORECASE,
)

_ZH_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_ZH_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000, "亿": 100000000}
_ZH_RUN = "[零〇一二两三四五六七八九十百千万亿点半]{1,16}"
# A Chinese numeral is read as a number only before a measure word or beside an arithmetic word:
# 三个, 十二公斤, 五加六, but not the 一 of 统一 or 星期一.
_ZH_MEASURE = (
    "(?=个|只|斤|公斤|千克|克|磅|盎司|吨|米|厘米|毫米|公里|千米|里|英|升|毫升|元|块|欧|美元|天|日|周|星期|月|年|小时|分钟|秒|"
    "份|瓶|盒|杯|条|台|本|张|件|套|箱|袋|包|位|人|次|倍|度|摄氏|华氏|加|减|乘|除|的|折|平方|立方|兆|字节)"
)
_ZH_NUMBER = re.compile("(?<![周期礼拜第])%s%s|(?<=[加减乘除以])%s" % (_ZH_RUN, _ZH_MEASURE, _ZH_RUN))


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


def tokens(text: str) -> List[str]:
    """Split a text into search terms: stemmed English words, and bigrams of Chinese characters."""
    found: List[str] = []
    for token in _TOKEN.findall(text.lower()):
        if token[0].isascii():
            if token not in STOP_WORDS:
                found.append(stem(token))
            continue
        for run in _ZH_STOP.split(token):
            found.extend([run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)])
    return found


def chinese_number(text: str) -> Optional[float]:
    """Read a Chinese numeral (三十二, 两百零五, 三点五, 半); None when it is not one."""
    if text == "半":
        return 0.5
    half = text.endswith("半") and len(text) > 1
    if half:
        text = text[:-1]
    whole, _, fraction = text.partition("点")
    total, section, digit, seen = 0, 0, 0, False
    for char in whole:
        if char in _ZH_DIGITS:
            # 二零二六 style: digits in a row
            digit = digit * 10 + _ZH_DIGITS[char] if seen and digit else _ZH_DIGITS[char]
            seen = True
        elif char in _ZH_UNITS:
            unit = _ZH_UNITS[char]
            if unit >= 10000:
                total, section = (total + section + digit) * unit, 0
            else:
                section += (digit or 1) * unit
            digit, seen = 0, False
        else:
            return None
    value = float(total + section + digit)
    if fraction:
        if not all(char in _ZH_DIGITS for char in fraction):
            return None
        value += float("0." + "".join(str(_ZH_DIGITS[char]) for char in fraction))
    return value + 0.5 if half else value


def number_text(value: float) -> str:
    """Write a number the short way: 12.0 as 12, at most ten significant digits."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else "%.10g" % value


def digits_for_numerals(text: str) -> str:
    """Write numerals in words as digits: "three pears" and "三个梨" both get a 3."""

    def english(match: "re.Match[str]") -> str:
        if match.group(1):
            return str(_NUMBER_WORDS[match.group(1).lower()] + _NUMBER_WORDS[match.group(2).lower()])
        return str(_NUMBER_WORDS[match.group(3).lower()])

    def chinese(match: "re.Match[str]") -> str:
        value = chinese_number(match.group(0))
        return match.group(0) if value is None else number_text(value)

    return _ZH_NUMBER.sub(chinese, _NUMBER_WORD.sub(english, text))


def rounded(value: float) -> str:
    """Write a measured value for people: two decimals, or four significant digits when small."""
    if value == 0:
        return "0"
    if abs(value) < 0.01:
        return "%.4g" % value
    if abs(value) >= 1e15:
        return "%.6g" % value
    text = "%.2f" % value if abs(value) >= 1 else "%.4f" % value
    return text.rstrip("0").rstrip(".") if "." in text else text
