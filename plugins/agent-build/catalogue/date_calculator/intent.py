"""When a question is about the calendar or the clock: dates written out, "in 90 days", "10 business days before", 三天后."""
from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, Dict, List, NamedTuple, Optional

from runtime.clock import clock_text
from runtime.dates import MONTHS, ZH_WEEKDAYS, DateMention
from runtime.figures import Figure
from runtime.question import Proposal, Question

DOES = True
_WORKDAYS = re.compile(r"\b(?:work(?:ing)?[- ]?days?|business[- ]?days?|weekdays? between)\b|工作日|上班日", re.IGNORECASE)
_UNIT = re.compile(
    r"\s*(?:an?\s+|more\s+|full\s+|calendar\s+)?(?P<unit>work(?:ing)?[- ]?days?|business[- ]?days?|days?|weeks?|fortnights?|months?|years?)\b|\s*(?:个)?(?P<zh>工作日|天|日(?!期)|周|星期|礼拜|月(?!\d|\s*\d)|年(?!\d|\s*\d))", re.IGNORECASE)
_CLOCK_UNIT = re.compile(r"\s*(?P<unit>hours?|hrs?|h\b|minutes?|mins?)|\s*个?(?P<zh>小时|钟头|分钟)", re.IGNORECASE)
_COUNT = re.compile(
    r"\b(?:days? (?:between|from|until|till|to|since|left|before|remaining|apart|away|off|ago|are)|how many (?:\w+ )?(?:days?|weeks?|months?|years?|workdays|business)|how long|(?:weeks?|months?|years?) (?:between|until|till|since|from|left)|difference|"
    r"between|until|till|countdown|how far|how soon|number of days|days there)\b|多少天|几天|相差|相隔|多久|天数|间隔|还有|距离?|多少个?(?:工作日|星期|周|月)|几个(?:工作日|星期|月)|差多少|过了|倒计时", re.IGNORECASE)
_WEEKDAY = re.compile(r"\b(?:weekday|day of (?:the )?week|(?:which|what) day|what'?s the day|week number|which week|what week|calendar week|fall(?:s)? on|is it a|day (?:is|was|will))\b|星期几|周几|礼拜几|哪一?天(?:是)?星期|第几周|星期多少", re.IGNORECASE)
_BACK = re.compile(r"\b(?:before|ago|earlier|minus|subtract|prior to|back|previous to|backwards?)\b|之?前|以前|往前|倒推|减", re.IGNORECASE)
_AHEAD = re.compile(r"\b(?:after|from|later|plus|add|in|within|following|past|on from|ahead|starting|forward)\b|之?后|以后|往后|加|再过|过|起", re.IGNORECASE)
_AGE = re.compile(r"\b(?:how old|age|born|birthday|turn(?:s|ed)?)\b|多大|几岁|多少岁|年龄|周岁|出生", re.IGNORECASE)
_LEAP = re.compile(r"\bleap\b|闰年|平年", re.IGNORECASE)
_SINCE = re.compile(r"\b(?:since|passed|ago|elapsed|gone by)\b|过了|过去了|以来|至今|到现在|到今天", re.IGNORECASE)
_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years", "天": "days", "日": "days", "周": "weeks", "星": "weeks", "礼": "weeks", "月": "months", "年": "years", "工": "workdays", "b": "workdays"}
_FUNCTIONS = ("weekday_of", "days_between", "add_to_date", "age_on")


class _Span(NamedTuple):
    amount: int
    unit: str
    figures: List[Figure]


def propose(question: Question) -> Optional[Proposal]:
    """Read the dates of the message and what is asked about them."""
    if len(question.text) > 300:
        return None
    figures = question.of_kind("date")
    mentions = [figure.value for figure in figures]
    open_date = next((mention for mention in mentions if mention.day is None), None)
    count, weekday = bool(_COUNT.search(question.lower)), bool(_WEEKDAY.search(question.lower))
    if open_date is not None and (count or weekday or len(figures) > 1 or _span(question) or question.has("date", "日期") or _AGE.search(question.lower)):
        return _asked(open_date)
    if open_date is not None or not (count or weekday) and re.search(r"放假|上班|营业|开门|有空|有课|休息|值班", question.lower):
        return None
    span = _span(question)
    previous = question.previous(*_FUNCTIONS)
    bare = re.fullmatch(r"\W*(?:and|what about|how about|or|then|那|如果是)?\s*\d+\s*(?:呢)?\W*", question.plain.lower())
    if bare and previous and previous.function == "add_to_date" and len(question.figures) == 1 and question.figures[0].kind == "number":
        amount = int(question.figures[0].value) * (-1 if previous.arguments["amount"] < 0 else 1)
        return Proposal("add_to_date", dict(previous.arguments, amount=amount), 0.82, used=question.figures)
    for offer in (_clock(question), _year(question), _age(question, figures), _moved(question, figures, span, weekday, previous)):
        if offer:
            return offer
    # A weekday is no second date: "what weekday is July 4", "is 2026-07-04 a Saturday".
    exact = [figure for figure in figures if figure.value.weekday is None]
    figures = exact or figures
    if len(figures) >= 2 and not (weekday and not count):
        start, end = figures[0].value, figures[1].value
        if start.weekday is not None and end.weekday is not None and end.day < start.day:
            end = end._replace(day=end.day + timedelta(days=7))
        return Proposal("days_between", {"start": _iso(start), "end": _iso(_after(end, start))}, 0.95 if count else 0.65, used=figures)
    if len(figures) == 1:
        return _single(question, figures, count, weekday, previous)
    if re.search(r"\bwhat(?:'s| is)? (?:the )?(?:date|day)\b(?: is it| today)?|\bcurrent date\b|今天(?:是)?(?:几号|星期几|周几|几月几)|现在是?几号", question.lower) and not question.figures:
        return Proposal("weekday_of", {"day": "today"}, 0.8)
    return None


def _asked(mention: DateMention) -> Proposal:
    if mention.readings:
        one, other = mention.readings
        en = "Do you mean %s or %s?" % tuple("%d %s %d" % (day.day, MONTHS[day.month - 1].capitalize(), day.year) for day in (one, other))
        zh = "是指 %s 还是 %s？" % tuple("%d年%d月%d日" % (day.year, day.month, day.day) for day in (one, other))
    else:
        en, zh = "There is no such day as %s." % mention.problem, "没有“%s”这一天。" % mention.problem
    return Proposal("weekday_of", {}, 0.9, ask={"en": en, "zh": zh})


def _iso(mention: DateMention) -> str:
    return "today" if mention.day == date.today() and mention.weekday is None else mention.day.isoformat()


def _after(mention: DateMention, earlier: DateMention) -> DateMention:
    """A date without a year lies after the one it is counted from."""
    if not mention.year_given and mention.day < earlier.day:
        return mention._replace(day=_next_year(mention.day))
    return mention


def _next_year(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 4)


def _span(question: Question) -> Optional[_Span]:
    """So many days, weeks, months or years; half a year and a fortnight too."""
    found: List[_Span] = []
    for figure in question.figures:
        if figure.kind != "number" or figure.currency:
            continue
        match = _UNIT.match(question.text, figure.end)
        name = figure.measure or (match.group("unit") or match.group("zh") if match else "")
        if not name:
            continue
        name = name.lower()
        unit = "workdays" if name.startswith(("work", "business", "工作")) else "weeks" if name.startswith("fort") else _UNITS.get(name[0], "")
        value = figure.value * (2 if name.startswith("fort") else 1)
        if unit == "years" and value != int(value):
            value, unit = value * 12, "months"
        elif unit == "weeks" and value != int(value):
            value, unit = value * 7, "days"
        if unit and value == int(value) and abs(value) < 10**7:
            found.append(_Span(int(value), unit, [figure]))
    article = re.search(r"\b(?:an?|the next|one)\s+(week|fortnight|month|year)\b(?! day)", question.lower)
    if not found and article:
        unit = "weeks" if article.group(1)[0] in "wf" else article.group(1) + "s"
        found.append(_Span(2 if article.group(1)[0] == "f" else 1, unit, [figure for figure in question.figures if figure.soft]))
    if len(found) > 1 and len({span.unit for span in found}) == 1:
        return None
    if len(found) == 2 and {found[0].unit, found[1].unit} == {"weeks", "days"}:
        return _Span(sum(span.amount * (7 if span.unit == "weeks" else 1) for span in found), "days", found[0].figures + found[1].figures)
    return found[0] if len(found) == 1 else None


def _moved(question: Question, figures: List[Figure], span: Optional[_Span], weekday: bool, previous: Any) -> Optional[Proposal]:
    if span is None or _AGE.search(question.lower) and not figures:
        return None
    lower = question.lower
    unit_ends = span.figures[-1].end if span.figures else 0
    back, ahead = bool(_BACK.search(lower)), bool(_AHEAD.search(lower))
    asks_when = re.search(r"\b(?:what|which|when|date|day|deadline|due)\b|日期|几号|哪一?天|几月几|什么时候|截止|到期|是", lower)
    if len(figures) == 2 or (re.search(r"\bhow many\b|多少天|几天", lower) and len(figures) != 1):
        return None
    goes_on = bool(previous and previous.function == "add_to_date" and question.is_follow_up and not figures)
    if not (back or ahead or goes_on) and not (figures and asks_when):
        return None
    if back and ahead and re.search(r"\b(?:days?|weeks?|months?|years?)\s+(?:before|prior|earlier|ago)", lower):
        ahead = False
    sign = -1 if back and not re.search(r"\b(?:from now|after|later)\b|之后|以后", lower[unit_ends:]) else 1
    follows = goes_on and not re.search(r"\b(?:from now|ago|today|from today)\b|今天|现在", lower)
    if follows:
        return Proposal("add_to_date", dict(previous.arguments, amount=span.amount * (sign if back or ahead else 1), unit=span.unit), 0.85, used=span.figures)
    if not figures and not asks_when and not re.search(r"\b(?:from now|ago|from today)\b|(?:之|以)?[后前](?:是|呢|几)|再过", lower):
        return None
    start = figures[0].value if figures else None
    used = span.figures + figures[:1]
    sure = 0.88 if asks_when or weekday or figures else 0.6
    return Proposal("add_to_date", {"day": _iso(start) if start else "today", "amount": span.amount * sign, "unit": span.unit}, sure, used=used)


def _single(question: Question, figures: List[Figure], count: bool, weekday: bool, previous: Any) -> Optional[Proposal]:
    mention = figures[0].value
    if count and not (weekday and not re.search(r"\bdays\b|多少天|几天", question.lower)):
        since = bool(_SINCE.search(question.lower)) or (mention.year_given and mention.day < date.today() and not re.search(r"\buntil\b|\btill\b|还有|距离", question.lower))
        if since:
            return Proposal("days_between", {"start": _iso(mention), "end": "today"}, 0.85, used=figures)
        today = DateMention(date.today(), 0, 0)
        return Proposal("days_between", {"start": "today", "end": _iso(_after(mention, today))}, 0.85, used=figures)
    if weekday:
        return Proposal("weekday_of", {"day": _iso(mention)}, 0.92, used=figures)
    short = len(question.text) < 40
    if re.search(r"\bwhat(?:'s| is) (?:the )?(?:date|day)\b", question.lower) and mention.day == date.today():
        return Proposal("weekday_of", {"day": "today"}, 0.8, used=figures)
    if previous and (question.is_follow_up or short) and not re.search(r"几号|哪一?天|几月几|\bwhat date\b", question.lower):
        return _again(previous, mention, figures)
    if re.search(r"\b(?:date|when) (?:is|was)\b|几号|日期|哪一?天", question.lower) or (short and mention.weekday is None and len(question.text) - (figures[0].end - figures[0].start) < 4):
        return Proposal("weekday_of", {"day": _iso(mention)}, 0.6, used=figures)
    return None


def _again(previous: Any, mention: DateMention, figures: List[Figure]) -> Proposal:
    arguments = dict(previous.arguments)
    if previous.function == "days_between":
        key = "start" if arguments["end"] == "today" and mention.day <= date.today() else "end"
        today = DateMention(date.today(), 0, 0)
        arguments[key] = _iso(_after(mention, today) if key == "end" and arguments["start"] == "today" else mention)
    elif previous.function == "age_on":
        arguments["birth" if mention.day.year < date.today().year - 1 else "on"] = _iso(mention)
    else:
        arguments["day"] = _iso(mention)
    return Proposal(previous.function, arguments, 0.8, used=figures)


def _age(question: Question, figures: List[Figure]) -> Optional[Proposal]:
    if not figures or not _AGE.search(question.lower) or _WEEKDAY.search(question.lower) or re.search(r"\bdays\b|多少天", question.lower):
        return None
    birth, on = figures[0].value, figures[1].value if len(figures) > 1 else None
    if on and on.day < birth.day:
        birth, on = on, birth
    if not birth.year_given or (on is None and birth.day > date.today()):
        return None
    return Proposal("age_on", {"birth": _iso(birth), **({"on": _iso(on)} if on else {})}, 0.9, used=figures[:2])


def _year(question: Question) -> Optional[Proposal]:
    """Leap years, the days of a month or year, and what is left of this one."""
    if re.search(r"今年(?:还剩|还有|剩下)|\bdays? (?:are )?(?:left|remaining|remain) (?:in|of) (?:the|this) year\b", question.lower) and not question.figures:
        return Proposal("days_between", {"start": "today", "end": "%d-12-31" % date.today().year}, 0.9, used=[])
    years = [figure for figure in question.figures if figure.kind == "number" and 1000 <= figure.value <= 9999 and figure.value == int(figure.value)]
    month = re.search(r"\b(%s)\b" % "|".join(MONTHS), question.lower) or re.search(r"(\d{1,2})\s*月", question.text)
    if _LEAP.search(question.lower) and not question.of_kind("date"):
        year = int(years[0].value) if years else date.today().year
        return Proposal("about_year", {"year": year}, 0.92, used=years[:1])
    if month and _WORKDAYS.search(question.lower) and not question.of_kind("date"):
        number = MONTHS.index(month.group(1)) + 1 if month.group(1).isalpha() else int(month.group(1))
        year = int(years[0].value) if years else date.today().year
        if 1 <= number <= 12:
            start, end = date(year, number, 1), date(year + number // 12, number % 12 + 1, 1)
            used = years[:1] + [figure for figure in question.figures if figure.start == month.start(1)]
            return Proposal("days_between", {"start": start.isoformat(), "end": end.isoformat()}, 0.9, used=used)
    if re.search(r"how many days (?:are (?:there )?in|in|has|does)|有?(?:多少|几)天", question.lower) and (month or years) and not question.of_kind("date"):
        used = list(years[:1])
        number = 0
        if month:
            number = MONTHS.index(month.group(1)) + 1 if month.group(1).isalpha() else int(month.group(1))
            used += [figure for figure in question.figures if figure.start == month.start(1)]
        if 0 <= number <= 12:
            return Proposal("about_year", {"year": int(years[0].value) if years else date.today().year, "month": number}, 0.88, used=used)
    return None


def _clock(question: Question) -> Optional[Proposal]:
    """How long from 9:15 to 17:40, 90 minutes after 14:30."""
    times = question.of_kind("time")
    if question.of_kind("date") or not times or re.search(r"\b(?:open|close[sd]?|hours)\b(?!.*\bhow (?:long|many))|营业|开门|关门", question.lower):
        return None
    if len(times) == 2 and re.search(r"\b(?:how (?:long|many)|between|from|difference|duration)\b|多久|多长|多少|几个?小时|相差|间隔|到", question.lower):
        start, end = (clock_text(figure.value.minutes) for figure in times)
        return Proposal("time_between", {"start": start, "end": end}, 0.88, used=times)
    if len(times) != 1:
        return None
    minutes, used = 0, list(times)
    for figure in question.figures:
        match = _CLOCK_UNIT.match(question.text, figure.end) if figure.kind == "number" else None
        name = (match.group("unit") or match.group("zh") or "").lower() if match else figure.measure if figure.measure == "小时" else ""
        if name:
            factor = 1 if name.startswith(("min", "分")) else 60
            if figure.value * factor != int(figure.value * factor):
                return None
            minutes, used = minutes + int(figure.value * factor), used + [figure]
    if not minutes:
        return None
    back = bool(re.search(r"\b(?:before|earlier|minus|ago|prior)\b|之?前|减", question.lower))
    return Proposal("add_to_time", {"time": clock_text(times[0].value.minutes), "minutes": -minutes if back else minutes}, 0.88, used=used)


_ZH_UNITS = {"days": "天", "weeks": "周", "months": "个月", "years": "年", "workdays": "个工作日"}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _counted(number: int, unit: str) -> str:
    return "%d %s%s" % (number, unit, "" if abs(number) == 1 else "s")


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Put the dates into a sentence."""
    zh = language == "zh"
    if function == "days_between":
        days = result["days"]
        years, months = divmod(abs(result["months"]), 12)
        if zh:
            whole = "，即 %d 年零 %d 个月" % (years, months) if years else ""
            return "从 %s 到 %s 相差 %d 天（%d 周零 %d 天，%d 个月零 %d 天%s，其中工作日 %d 天）。" % (
                result["start"], result["end"], days, result["weeks"], result["remaining_days"], result["months"], result["days_after_months"], whole, result["workdays"])
        counts = [_counted(result[name], unit) for name, unit in (("weeks", "week"), ("remaining_days", "day"), ("months", "month"), ("days_after_months", "day"))]
        whole = ", which is %s and %s" % (_counted(years, "year"), _counted(months, "month")) if years else ""
        return "From %s to %s it is %s (%s and %s, or %s and %s%s; %d of them Monday to Friday)." % (result["start"], result["end"], _counted(days, "day"), *counts, whole, result["workdays"])
    if function == "weekday_of":
        if zh:
            return "%s 是星期%s（第 %d 周，全年第 %d 天，%s）。" % (
                result["date"], ZH_WEEKDAYS[result["iso_weekday"] - 1], result["iso_week"], result["day_of_year"], "闰年" if result["leap_year"] else "平年")
        return "%s is a %s (ISO week %d, day %d of %s year)." % (
            result["date"], result["weekday"], result["iso_week"], result["day_of_year"], "a leap" if result["leap_year"] else "the")
    if function == "age_on":
        if zh:
            return "%s 出生，到 %s 为 %d 岁（%d 年零 %d 个月，共 %d 天）。" % (result["birth"], result["on"], result["years"], result["years"], result["months"], result["days"])
        return "Born on %s, the age on %s is %d years (and %d months; %d days in all)." % (result["birth"], result["on"], result["years"], result["months"], result["days"])
    if function == "about_year":
        if result["month"]:
            return "%d 年 %d 月有 %d 天。" % (result["year"], result["month"], result["days"]) if zh else "%s %d has %d days." % (MONTHS[result["month"] - 1].capitalize(), result["year"], result["days"])
        if zh:
            return "%d 年%s闰年，有 %d 天。" % (result["year"], "是" if result["leap_year"] else "不是", result["days"])
        return "%d is %s leap year; it has %d days." % (result["year"], "a" if result["leap_year"] else "not a", result["days"])
    if function == "time_between":
        return ("从 %(start)s 到 %(end)s 是 %(hours)d 小时 %(rest_minutes)d 分钟（共 %(minutes)d 分钟）。" if zh else "From %(start)s to %(end)s it is %(hours)d hours and %(rest_minutes)d minutes (%(minutes)d minutes).") % result
    if function == "add_to_time":
        day = {0: "", 1: "（次日）" if zh else " (the next day)", -1: "（前一天）" if zh else " (the day before)"}.get(result["days"], "（%+d 天）" % result["days"] if zh else " (%+d days)" % result["days"])
        words = "前" if result["minutes"] < 0 else "后"
        if zh:
            return "%s 的 %d 分钟%s是 %s%s。" % (result["start"], abs(result["minutes"]), words, result["time"], day)
        return "%d minutes %s %s it is %s%s." % (abs(result["minutes"]), "before" if result["minutes"] < 0 else "after", result["start"], result["time"], day)
    amount = result["amount"]
    if zh:
        return "%s 的 %d %s%s是 %s，星期%s。" % (
            result["start"], abs(amount), _ZH_UNITS[result["unit"]], "之前" if amount < 0 else "之后", result["date"], ZH_WEEKDAYS[_WEEKDAYS.index(result["weekday"])])
    unit = {"workdays": "working days"}.get(result["unit"], result["unit"])
    return "%d %s %s %s is %s, a %s." % (abs(amount), unit[:-1] if abs(amount) == 1 else unit, "before" if amount < 0 else "after", result["start"], result["date"], result["weekday"])
