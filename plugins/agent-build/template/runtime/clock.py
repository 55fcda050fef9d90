"""Times of day in people's words: 14:00, 2 pm, half past nine, noon, 下午3点半."""
from __future__ import annotations

import re
from typing import List, NamedTuple, Optional

from runtime.chinese_numerals import chinese_value

_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
_HOUR = r"\d{1,2}|" + "|".join(_HOURS)
_ZH_NUMBER = r"\d{1,2}|[零〇一二两三四五六七八九十]{1,3}"
# One pass over all forms. A number becomes a time only with a colon, am or pm, o'clock, past, to, or 点.
_TIME = re.compile(
    r"(?<![\d:.,])(?P<clock>\d{1,2}[:：]\d{2})(?::\d{2})?(?![\d:])\s*(?P<half>[ap]\.?m\b\.?)?"
    r"|(?<![\d:.,a-z])(?P<hour>\d{1,2}(?:\.\d{2})?)\s*(?P<ampm>[ap]\.?m\b\.?)"
    r"|\b(?P<past>(?P<what>half|(?:a )?quarter|[1-5]?\d(?= minutes)|(?:5|10|20|25)(?= past)|five|ten|twenty)(?: minutes)? (?P<side>past|to) (?P<of>%(hour)s)(?![:.]\d|\s*(?:%%|kg|km|€|eur|\$)))\b"
    r"|\b(?P<oclock>%(hour)s)\s?o['’]?\s?clock\b(?:\s+(?P<side2>in the (?:morning|afternoon|evening)|at night))?"
    r"|\b(?P<word>noon|midday|midnight)\b|(?P<zhword>正午|午夜|零点)"
    r"|(?:(?P<zhpart>凌晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|今晚|明晚|早)\s?)?(?<!第)(?P<zhhour>%(zh)s)\s*(?:点|时(?![间候段]))(?P<zhmin>钟|整|半|[一三]刻|(?:%(zh)s)分?)?(?!\d*[亿万个])"
    % {"hour": _HOUR, "zh": _ZH_NUMBER},
)


class TimeMention(NamedTuple):
    """A time of day in a text: minutes after midnight, its place, and whether morning or evening is open."""

    minutes: int
    start: int
    end: int
    open_half: bool = False  # "at 5 o'clock": morning or afternoon


def find_times(text: str) -> List[TimeMention]:
    """All times of day of a text in small letters, in its order."""
    return [mention for match in _TIME.finditer(text) for mention in [_read(match)] if mention]


def _read(match: "re.Match[str]") -> Optional[TimeMention]:
    start, end = match.span()
    if match.group("zhhour"):
        return _chinese(match)
    if match.group("word") or match.group("zhword"):
        return TimeMention(720 if (match.group("word") or match.group("zhword")).lower() in ("noon", "midday", "正午") else 0, start, end)
    if match.group("past"):
        hour = _hour(match.group("of"))
        what = match.group("what").lower().replace("a ", "")
        minutes = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20}.get(what) or int(what)
        if not 1 <= hour <= 24 or not 0 < minutes < 60:
            return None
        sign = -1 if match.group("side").lower() in ("to", "before") else 1
        return TimeMention((hour * 60 + sign * minutes) % 1440, start, end, hour <= 12)
    if match.group("oclock"):
        hour, side = _hour(match.group("oclock")), (match.group("side2") or "").lower()
        if hour > 24:
            return None
        later = side and "morning" not in side and hour < 12
        return TimeMention((hour + (12 if later else 0)) % 24 * 60, start, end, not side and hour <= 12)
    if match.group("clock"):
        hour, minutes = (int(part) for part in re.split("[:：]", match.group("clock")))
    else:
        hour, _, rest = match.group("hour").partition(".")
        hour, minutes = int(hour), int(rest or 0)
    half = (match.group("half") or match.group("ampm") or "").lower()
    if minutes > 59 or hour > 24 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    end = match.end("half") if match.group("half") else match.end("ampm") if match.group("ampm") else end
    return TimeMention(hour * 60 + minutes, start, start + len(match.group(0).rstrip()) if not half else end)


def _hour(text: str) -> int:
    return int(text) if text.isdigit() else _HOURS.index(text.lower()) + 1


def _chinese(match: "re.Match[str]") -> Optional[TimeMention]:
    part, text, rest = match.group("zhpart") or "", match.group("zhhour"), match.group("zhmin") or ""
    hour = int(text) if text.isdigit() else chinese_value(text)
    minutes = {"半": 30, "一刻": 15, "三刻": 45, "": 0, "钟": 0, "整": 0}.get(rest)
    if minutes is None:
        # 三点五 is a number unless the part of the day or 分 says that it is a time.
        if not part and not rest.endswith("分") and not (rest.isdigit() and len(rest) == 2):
            return None
        digits = rest.rstrip("分")
        minutes = int(digits) if digits.isdigit() else chinese_value(digits)
    if hour is None or minutes is None or hour > 24 or minutes > 59:
        return None
    hour = int(hour)
    if part in ("下午", "傍晚", "晚上", "夜里", "今晚", "明晚") and hour < 12:
        hour += 12
    elif part == "中午" and hour < 3:
        hour += 12
    elif part == "凌晨" and hour == 12:
        hour = 0
    return TimeMention(hour * 60 + int(minutes), match.start(), match.end(), not part and 0 < hour <= 12)


def clock_text(minutes: int) -> str:
    """Write minutes after midnight as 09:30."""
    return "%02d:%02d" % divmod(minutes, 60)
