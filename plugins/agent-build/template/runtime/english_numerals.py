"""Numbers in English words: "two and a half", "a dozen", "three hundred", "twenty-five"."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Dict, List

from runtime.numeral import Numeral

_SMALL: Dict[str, int] = {
    word: value
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
}
_SMALL.update(thirty=30, forty=40, fifty=50, sixty=60, seventy=70, eighty=80, ninety=90)
SCALES: Dict[str, int] = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12, "grand": 1000}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5, "tenth": 10, "tenths": 10}
_WORD = "|".join(sorted([*_SMALL, *(scale for scale in SCALES if scale != "grand")], key=len, reverse=True))
# A run of number words; "and" joins them only when number words stand on both sides ("a hundred and five", "two and a half").
_ENGLISH = re.compile(
    r"(?<![\w-])(?:(?:an?\s+)?(?P<fraction>(?:%(word)s)[\s-]+(?:halves|thirds?|quarters?|fifths?|tenths?)|an?\s+(?:half|third|quarter|fifth|tenth)(?!\s+(?:marathon|board|term|brother|sister))|half(?![\s-]+(?:marathon|board|term|brother|sister|time\b)))(?:\s+an?\s+(?P<of>dozen|million|billion|hundred|thousand)\b)?(?![\w-])"
    r"|(?P<run>(?:an?\s+(?:couple(?:\s+of)?|hundred|thousand|million|billion|dozen)|(?:%(small)s)|(?<!\d\s)dozen)(?:(?:[\s-]+and[\s-]+|[\s-]+)(?:%(word)s))*(?:\s+point(?:\s+(?:zero|one|two|three|four|five|six|seven|eight|nine))+)?)(?P<rest>\s+and\s+an?\s+(?:half|quarter|third)|\s+and\s+three\s+quarters)?(?![\w-]))"
    % {"word": _WORD, "small": "|".join(sorted(_SMALL, key=len, reverse=True))},
)


def _read(match: "re.Match[str]") -> List[Numeral]:
    if match.group("fraction"):
        words = re.split(r"[\s-]+", match.group("fraction"))
        value = Decimal(_SMALL.get(words[0], 1)) / _PARTS[words[-1]]
        if match.group("of"):
            value *= SCALES[match.group("of")]
        return [Numeral(value, match.start(), match.end())]
    numbers = _runs(match.group("run"), match.start("run"))
    rest = match.group("rest")
    if rest and numbers:
        extra = Decimal("0.75") if "three" in rest else Decimal(1) / _PARTS[rest.split()[-1]]
        last = numbers[-1]
        numbers[-1] = last._replace(value=last.value + extra, end=match.end("rest"), soft=False)
    return numbers


def _runs(text: str, offset: int) -> List[Numeral]:
    """Cut a run of number words into numbers: "two three" are two, "two hundred and three" is one."""
    numbers: List[Numeral] = []
    total, group, last, start, end = 0, 0, 0, -1, -1
    tail: List[str] = []
    joined = False
    for word in re.finditer(r"[a-z]+", text):
        name = word.group(0)
        if name in ("a", "an", "of"):
            start = word.start() if start < 0 else start
            continue
        if name == "couple":
            return [Numeral(Decimal(2), offset + word.start(), offset + word.end())]
        if name == "and":
            joined = True
            continue
        if name == "point":
            tail = ["."]
            continue
        if tail:
            tail.append(str(_SMALL[name]))
            end = word.end()
            continue
        value = _SMALL.get(name)
        # "and" joins only below a hundred or a thousand: "two and three" are two numbers.
        continues = last == 0 if value is None else end >= 0 and (last >= 100 or (20 <= last < 100 and 0 < value < 10 and not joined))
        if value is not None and end >= 0 and not continues:
            numbers.append(_number(total + group, offset + start, offset + end))
            total, group, last, start = 0, 0, 0, word.start()
        start = word.start() if start < 0 else start
        if value is not None:
            group, last = group + value, value
        elif name in ("hundred", "dozen"):
            group, last = (group or 1) * SCALES[name], SCALES[name]
        else:
            total, group, last = total + (group or 1) * SCALES[name], 0, SCALES[name]
        end, joined = word.end(), False
    value = Decimal(total + group)
    if len(tail) > 1:
        value += Decimal("0" + "".join(tail))
    if end >= 0:
        numbers.append(_number(value, offset + start, offset + end))
    return numbers


def _number(value: "Decimal | int", start: int, end: int) -> Numeral:
    return Numeral(Decimal(value), start, end, soft=value == 1)


def english_numerals(text: str) -> List[Numeral]:
    """All English numerals of a text in small letters, in its order."""
    found: List[Numeral] = []
    for match in _ENGLISH.finditer(text):
        reduced = re.compile(r"[\s-](?:price|off)\b").match(text, match.end()) if match.group(0) == "half" else None
        if reduced:  # half price takes 50% off
            found.append(Numeral(Decimal(50), match.start(), reduced.end(), "off"))
        elif not match.group("fraction") or not re.search(r"\d\s+and\s+$", text[: match.start()]):  # the rest of "2 and a half" belongs to its digits
            found.extend(_read(match))
    return found
