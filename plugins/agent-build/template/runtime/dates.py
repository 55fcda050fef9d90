"""Dates in people's words: ISO, 4 July 2026, 04/07/2026, 12月25日, tomorrow, next Friday, 下周三, Christmas.

`find_dates` gives every date of a text with its place. A date that can be read in two
ways (04/07/2026) is marked, so that a tool asks back and does not guess.
"""
from __future__ import annotations

import re
from datetime import date, timedelta
from typing import List, NamedTuple, Optional, Tuple

MONTHS = "january february march april may june july august september october november december".split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
ZH_WEEKDAYS = "一二三四五六日"
_MONTH = "(?:%s)" % "|".join(name[:3] + "(?:%s)?" % name[3:] if len(name) > 3 else name for name in MONTHS).replace("sep(?:tember)?", "sept?(?:ember)?")
# Days of the calendar that people call by name: month and day.
_NAMED = {
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "xmas": (12, 25), "new year's eve": (12, 31), "new years eve": (12, 31),
    "new year's day": (1, 1), "new year's": (1, 1), "new year": (1, 1), "halloween": (10, 31), "valentine's day": (2, 14), "valentines day": (2, 14),
    "圣诞节": (12, 25), "平安夜": (12, 24), "元旦": (1, 1), "国庆节": (10, 1), "国庆": (10, 1), "劳动节": (5, 1), "五一": (5, 1), "情人节": (2, 14),
    "儿童节": (6, 1), "教师节": (9, 10), "妇女节": (3, 8), "跨年夜": (12, 31),
}
_RELATIVE = {"today": 0, "now": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1, "day after tomorrow": 2, "day before yesterday": -2,
             "今天": 0, "今日": 0, "今晚": 0, "现在": 0, "明天": 1, "明日": 1, "明晚": 1, "后天": 2, "大后天": 3, "昨天": -1, "前天": -2, "大前天": -3}
_WEEKDAY = "mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|mon|tues?|wed|thurs?|thu|fri|sat|sun"
# One pass finds all forms, the surest first, so that no part of one date is read as another. The text is in small letters.
_DATE = re.compile(
    r"(?<![a-z_\d.-])(?P<iso>\d{4}[-/.]\d{1,2}[-/.]\d{1,2})(?![\d-])"
    r"|(?<!\d)(?P<zh>(?:\d{4}|[零〇一二三四五六七八九]{4}|今|明|去|后)\s*年\s*(?:\d{1,2}|[一二三四五六七八九十]{1,2})\s*月\s*(?:\d{1,2}|[一二三四五六七八九十]{1,3})\s*[日号]?)"
    r"|(?<!\d)(?P<zhshort>(?:\d{1,2}|[一二三四五六七八九十]{1,2})\s*月\s*(?:\d{1,2}|[一二三四五六七八九十]{1,3})\s*[日号])"
    r"|(?<![\d.,/])(?P<numeric>\d{1,2}(?P<sep>[/.-])\d{1,2}(?P=sep)(?:\d{4}|\d{2}))(?![\d/])"
    r"|(?<![\d.,])(?P<dmy>\d{1,2}(?:st|nd|rd|th)?(?:\s+of\s+|\s+|\.\s*|-)%(month)s\b\.?(?:,?[\s-]+\d{4}\b)?)"
    r"|\b(?P<mdy>%(month)s\.?\s+(?:the\s+)?\d{1,2}(?:st|nd|rd|th)?(?![\d:])(?:,?\s+\d{4}\b)?)"
    r"|(?P<end>\b(?:the )?end of (?:the |this )?(?:year|month)\b|年底|月底|月末)"
    r"|\b(?P<named>%(named)s)\b(?:\s+(?P<namedyear>\d{4}))?|(?:(?P<zhyear>\d{4})\s*年\s*)?(?P<zhnamed>%(zhnamed)s)"
    r"|\b(?:the )?(?P<word>day (?:after tomorrow|before yesterday)|tomorrow|today|tonight|yesterday)\b|(?P<zhword>大后天|大前天|今天|今日|今晚|明天|明日|明晚|后天|昨天|前天)"
    r"|\b(?P<weekday>(?:(?:this|next|last|coming)\s+)?(?:%(weekday)s))\b\.?|(?P<zhweekday>(?:下下|上上|[上下本这])?个?(?:星期|周|礼拜)[一二三四五六日天])(?![一-鿿]*?次)"
    % {
        "month": _MONTH, "weekday": _WEEKDAY,
        "named": "|".join(sorted((name for name in _NAMED if name.isascii()), key=len, reverse=True)),
        "zhnamed": "|".join(name if name != "五一" else "(?<![零一二三四五六七八九十百千万点第])五一(?![折零〇一二三四五六七八九十百千万亿点个])"
                            for name in sorted((name for name in _NAMED if not name.isascii()), key=len, reverse=True)),
    },
)


class DateMention(NamedTuple):
    """A date of a text: the day, its place, and what is uncertain about it."""

    day: Optional[date]  # None: no such day, or two readings
    start: int
    end: int
    weekday: Optional[int] = None  # 0 is Monday, when the text names only a weekday
    year_given: bool = True
    readings: Tuple[date, ...] = ()  # both, when it can be read in two ways
    problem: str = ""  # what was written, when there is no such day


def find_dates(text: str, today: Optional[date] = None) -> List[DateMention]:
    """All dates of a text in small letters, in its order."""
    now = today or date.today()
    found = [mention for match in _DATE.finditer(text) for mention in [_read(match, now)] if mention]
    return _in_one_order(found, text)


def _in_one_order(found: List[DateMention], text: str) -> List[DateMention]:
    """Who writes 03/15/2026 means the 10th of April by 04/10/2026: of several, those with one reading tell the order."""
    orders = set()
    for mention in found:
        numbers = re.fullmatch(r"(\d{1,2})[/-](\d{1,2})[/-]\d{2,4}", text[mention.start : mention.end])
        if numbers and mention.day and int(numbers.group(1)) != int(numbers.group(2)):
            orders.add("month" if mention.day.month == int(numbers.group(1)) and mention.day.day == int(numbers.group(2)) else "day")
    if len(orders) != 1:
        return found
    chosen = 0 if orders == {"day"} else 1
    return [mention._replace(day=mention.readings[chosen], readings=()) if mention.readings else mention for mention in found]


def _read(match: "re.Match[str]", now: date) -> Optional[DateMention]:
    kind, text, (start, end) = match.lastgroup or "", match.group(0).lower(), match.span()
    kind = "named" if kind == "namedyear" else kind
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if kind in ("zh", "zhshort"):
        return _chinese(text, now, start, end, kind == "zh")
    if kind == "iso":
        return _made(numbers[0], numbers[1], numbers[2], text, start, end)
    if kind == "numeric":
        return _numeric(numbers, text, start, end)
    if kind in ("dmy", "mdy"):
        name = re.search(r"[a-z]{3,}", re.sub(r"\b(?:\d+(?:st|nd|rd|th)|of|the)\b", " ", text))
        if name is None:
            return None
        month = next(number for number, full in enumerate(MONTHS, 1) if full.startswith(name.group(0)[:3]))
        return _made(numbers[1] if len(numbers) > 1 else now.year, month, numbers[0], text, start, end, len(numbers) > 1)
    if kind in ("named", "zhnamed"):
        month, day = _NAMED[re.sub(r"\s+\d{4}$|^\d{4}\s*年\s*", "", text)]
        return _made(numbers[0] if numbers else now.year, month, day, text, start, end, bool(numbers))
    if kind == "end":
        following = date(now.year + 1, 1, 1) if "year" in text or "年" in text else date(now.year + now.month // 12, now.month % 12 + 1, 1)
        return DateMention(following - timedelta(days=1), start, end)
    if kind in ("word", "zhword"):
        return DateMention(now + timedelta(days=_RELATIVE[re.sub(r"^the ", "", text)]), start, end)
    return _weekday(text, now, start, end)


def _made(year: int, month: int, day: int, text: str, start: int, end: int, year_given: bool = True) -> DateMention:
    try:
        return DateMention(date(year, month, day), start, end, year_given=year_given)
    except ValueError:
        return DateMention(None, start, end, problem=text.strip())


def _numeric(numbers: List[int], text: str, start: int, end: int) -> DateMention:
    """04/07/2026 may be the 4th of July or the 7th of April; with dots the day always stands first."""
    first, second, year = numbers
    year = year if year > 99 else 2000 + year
    if "." in text or first > 12:
        return _made(year, second, first, text, start, end)
    if second > 12:
        return _made(year, first, second, text, start, end)
    if first == second:
        return _made(year, first, second, text, start, end)
    return DateMention(None, start, end, readings=(date(year, second, first), date(year, first, second)))


def _chinese(text: str, now: date, start: int, end: int, year_given: bool) -> Optional[DateMention]:
    from runtime.chinese_numerals import chinese_value  # here, because few questions need it

    parts = re.findall(r"\d+|[零〇一二三四五六七八九十]+|[今明去后]", text)
    values: List[int] = []
    for part in parts:
        if part in "今明去后":
            values.append(now.year + {"今": 0, "明": 1, "去": -1, "后": 2}[part])
        else:
            number = int(part) if part.isdigit() and part.isascii() else chinese_value(part)
            if number is None:
                return None
            values.append(int(number))
    if not year_given:
        values.insert(0, now.year)
    return _made(values[0], values[1], values[2], text, start, end, year_given) if len(values) == 3 else None


def _weekday(text: str, now: date, start: int, end: int) -> DateMention:
    if text[-1] in ZH_WEEKDAYS + "天":
        wanted = ZH_WEEKDAYS.index("日" if text[-1] == "天" else text[-1])
        weeks = text[:2].count("下") - text[:2].count("上")
        monday = now - timedelta(days=now.weekday())
        return DateMention(monday + timedelta(days=wanted + 7 * weeks), start, end, weekday=wanted)
    words = text.rstrip(".").split()
    wanted = next(number for number, name in enumerate(WEEKDAYS) if name.startswith(words[-1][:3]))
    ahead = (wanted - now.weekday()) % 7
    if words[0] == "last":
        ahead = ahead - 7
    elif words[0] == "next" and ahead == 0:
        ahead = 7
    return DateMention(now + timedelta(days=ahead), start, end, weekday=wanted)
