"""When a question is about the calendar: dates written out, "today", "in 90 days", "三天后"."""
from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, Dict, List, Optional

from runtime.question import Proposal, Question

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(name + "|" + name[:3] for name in _MONTHS)
_DATES = re.compile(
    r"(?P<iso>\d{4}[-/.]\d{1,2}[-/.]\d{1,2})"
    r"|(?P<zh>\d{4}\s*年\s*\d{1,2}\s*月\s*\d{1,2}\s*[日号]?)"
    r"|(?P<zhshort>\d{1,2}\s*月\s*\d{1,2}\s*[日号])"
    r"|(?P<dmy>\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:%s)\.?,?(?:\s+\d{4})?)"
    r"|(?P<mdy>(?:%s)\.?\s+\d{1,2}(?:st|nd|rd|th)?(?:,?\s+\d{4})?)\b"
    r"|(?P<word>\btoday\b|\btomorrow\b|\byesterday\b|\bnow\b|今天|明天|昨天|后天)" % (_MONTH, _MONTH),
    re.IGNORECASE,
)
_SPAN = re.compile(r"(\d+)\s*个?\s*(days?|weeks?|months?|years?|天|日|周|星期|月|年)", re.IGNORECASE)
_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years", "天": "days", "日": "days", "周": "weeks", "星": "weeks", "月": "months", "年": "years"}
_ZH_WEEKDAYS = "一二三四五六日"
_ZH_UNITS = {"days": "天", "weeks": "周", "months": "个月", "years": "年"}


def propose(question: Question) -> Optional[Proposal]:
    """Read the dates of the message and what is asked about them."""
    if len(question.text) > 300:
        return None
    text = question.plain
    dates = _dates(text)
    rest = _DATES.sub(" ", text)
    span = _SPAN.search(rest)
    count = question.has(
        "days between", "how many days", "how long", "days until", "days till", "days from", "days since", "weeks until", "weeks between",
        "how many weeks", "workdays", "working days", "business days", "difference", "between", "until",
        "多少天", "几天", "相差", "相隔", "多久", "天数", "工作日", "间隔", "还有", "多少个工作日",
    )
    weekday = question.has(
        "weekday", "day of the week", "which day", "what day", "week number", "leap year",
        "星期几", "周几", "礼拜几", "哪一天", "第几周", "闰年",
    )
    if span and (dates or question.has("from now", "ago", "in", "后", "前", "以后", "之后", "之前")) and not weekday_only(weekday, span):
        back = question.has("before", "ago", "earlier", "minus", "subtract", "前", "之前", "以前")
        ahead = question.has("after", "from", "later", "plus", "add", "in", "后", "之后", "以后", "加", "再过")
        if back or ahead:
            start = dates[0] if dates else "today"
            amount = int(span.group(1)) * (-1 if back else 1)
            unit = _UNITS[span.group(2)[0].lower()]
            asks = weekday or bool(dates) or question.has("date", "日期", "几号", "哪天", "when", "what")
            return Proposal("add_to_date", {"day": start, "amount": amount, "unit": unit}, 0.85 if asks else 0.55)
    if len(dates) >= 2 and not (weekday and not count):
        return Proposal("days_between", {"start": dates[0], "end": dates[1]}, 0.95 if count else 0.65)
    if len(dates) == 1:
        if weekday:
            return Proposal("weekday_of", {"day": dates[0]}, 0.92)
        if count:
            since = question.has("since", "passed", "过了", "过去了")
            return Proposal("days_between", {"start": dates[0] if since else "today", "end": "today" if since else dates[0]}, 0.8)
        previous = question.previous("weekday_of", "days_between", "add_to_date")
        if previous and question.is_follow_up:
            return _again(previous.function, previous.arguments, dates[0])
        if question.has("date", "today", "日期", "今天几号"):
            return Proposal("weekday_of", {"day": dates[0]}, 0.6)
    if not dates and question.has("what date is it", "what day is it", "current date"):
        return Proposal("weekday_of", {"day": "today"}, 0.85)
    return None


def weekday_only(weekday: bool, span: Any) -> bool:
    """True when the span is only the 'week' or 'day' of the phrase "day of the week"."""
    return weekday and not span.group(1)


def _again(function: str, arguments: Dict[str, Any], day: str) -> Proposal:
    if function == "days_between":
        return Proposal(function, {"start": arguments["start"], "end": day}, 0.8)
    return Proposal(function, dict(arguments, day=day), 0.8)


def _dates(text: str) -> List[str]:
    found = []
    for match in _DATES.finditer(text):
        value = match.group(0).lower()
        numbers = [int(number) for number in re.findall(r"\d+", value)]
        if match.lastgroup in ("iso", "zh"):
            year, month, day = numbers
        elif match.lastgroup == "zhshort":
            year, (month, day) = date.today().year, numbers
        elif match.lastgroup in ("dmy", "mdy"):
            name = re.search(_MONTH, value)
            month = next(i for i, full in enumerate(_MONTHS, 1) if name and full.startswith(name.group(0)[:3]))
            day, year = numbers[0], numbers[1] if len(numbers) > 1 else date.today().year
        else:
            shift = {"today": 0, "now": 0, "tomorrow": 1, "yesterday": -1, "今天": 0, "明天": 1, "昨天": -1, "后天": 2}[value]
            found.append("today" if not shift else (date.today() + timedelta(days=shift)).isoformat())
            continue
        found.append("%04d-%02d-%02d" % (year, month, day))
    return found


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Put the dates into a sentence."""
    if function == "days_between":
        days = result["days"]
        if language == "zh":
            return "从 %s 到 %s 相差 %d 天（%d 周零 %d 天，其中工作日 %d 天）。" % (
                result["start"], result["end"], days, result["weeks"], result["remaining_days"], result["workdays"])
        return "From %s to %s it is %d day%s (%d weeks and %d days; %d of them Monday to Friday)." % (
            result["start"], result["end"], days, "" if abs(days) == 1 else "s", result["weeks"], result["remaining_days"], result["workdays"])
    if function == "weekday_of":
        if language == "zh":
            return "%s 是星期%s（第 %d 周，全年第 %d 天，%s）。" % (
                result["date"], _ZH_WEEKDAYS[result["iso_weekday"] - 1], result["iso_week"], result["day_of_year"],
                "闰年" if result["leap_year"] else "平年")
        return "%s is a %s (ISO week %d, day %d of %s year)." % (
            result["date"], result["weekday"], result["iso_week"], result["day_of_year"], "a leap" if result["leap_year"] else "the")
    amount = result["amount"]
    if language == "zh":
        index = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday").index(result["weekday"])
        return "%s 的 %d %s%s是 %s，星期%s。" % (
            result["start"], abs(amount), _ZH_UNITS[result["unit"]], "之前" if amount < 0 else "之后", result["date"], _ZH_WEEKDAYS[index])
    return "%d %s %s %s is %s, a %s." % (
        abs(amount), result["unit"], "before" if amount < 0 else "after", result["start"], result["date"], result["weekday"])
