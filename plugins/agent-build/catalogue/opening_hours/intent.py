"""When a question is about opening hours: "are you open on Friday at 14:00?", "when do you close?", 周日开门吗."""
from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Dict, List, Optional

from runtime import knowledge
from runtime.clock import clock_text
from runtime.dates import MONTHS, WEEKDAYS
from runtime.figures import Figure
from runtime.matching import find_mentions, find_parts
from runtime.question import Proposal, Question
from tools.opening_hours import hours_on, open_at, subjects

_OPEN = re.compile(
    r"\b(?:open(?:s|ed|ing)?|opening (?:hours|times)|hours|clos(?:e|es|ed|ing)|shut|business hours|office hours|available|what time do you (?:start|finish)|(?:can|may|could) (?:i|we) come|come (?:by|in|over|around)|drop (?:by|in)|stop by|visit|there on|pick (?:it )?up|when can i|till when|how late|how early)\b|opne|"
    r"营业|开门|关门|开放|打烊|上班|下班|几点开|几点关|开到几点|开着|休息|闭馆|开吗|关吗|开不开|有人吗|能去|可以去|过来|过去|来得及|办公时间|门诊|接待|开店|闭店|开业时间|几点到几点|几点(?:开始|结束)?[？?]?$", re.IGNORECASE)
# "Open a ticket" opens no house, and "how long does firing take" asks for no hours.
_NOT_HOURS = re.compile(r"\bopen(?:ing)? (?:up )?(?:an?|another|my|new) [a-z]+|\bwhen can i\b(?=.*\bhow long\b)|\bhours? of (?:work|labor|labour|design|training)\b")
_CLOSE = re.compile(r"\b(?:clos(?:e|es|ing)|shut|how late|until when|till when|last)\b|关门|打烊|下班|几点关|开到几点|闭馆|闭店", re.IGNORECASE)
_CLOSED_DAYS = re.compile(r"\b(?:which|what) days?\b.*\b(?:closed|not open|shut)\b|\b(?:day off|closing day|closed days?)\b|哪天(?:休息|不开|关门|不营业)|星期几(?:休息|不开|关门|不营业)|周几(?:休息|不开|关门|不营业)|什么时候休息", re.IGNORECASE)
_NOW = re.compile(r"\b(?:now|rn|right now|currently|at the moment|still open)\b|现在|此刻|这会儿|还开着", re.IGNORECASE)
_WEEKEND = re.compile(r"\bweek-?ends?\b|周末|双休", re.IGNORECASE)
_WEEKDAYS = re.compile(r"\b(?:week ?days|during the week|on a weekday)\b|工作日|平时|平日", re.IGNORECASE)
_EVERY = re.compile(r"\b(?:every ?day|daily|all week|each day|the week|24/7|seven days)\b|每天|天天|全年|一周", re.IGNORECASE)
_BARE_HOUR = re.compile(r"\b(?:at|by|around|before|after|until|till|past)\s+$|[在到过]\s*$")
_PART_OF_DAY = [(re.compile(r"\b(?:morning|mornings|early)\b|早上|上午|早晨"), (8 * 60, 12 * 60)), (re.compile(r"\b(?:afternoon|afternoons)\b|下午"), (13 * 60, 17 * 60)),
                (re.compile(r"\b(?:evening|evenings|tonight|night)\b|晚上|今晚|夜里"), (18 * 60, 22 * 60)), (re.compile(r"\b(?:noon|midday|lunch ?time)\b|中午|午间"), (12 * 60, 13 * 60))]
# What is open may be named after its part of the day: 晚市, "dinner".
_MEALS = [("晚上|傍晚|晚饭|evening|dinner|tonight|supper", "晚|evening|dinner|supper"), ("中午|午饭|lunch|noon", "午市|午餐|中午|lunch"), ("早上|早饭|morning|breakfast", "早|morning|breakfast")]
_FUNCTIONS = ("hours_on", "open_at", "week_hours")


def propose(question: Question) -> Optional[Proposal]:
    """Read the day, the time and what is asked about them."""
    if not subjects() or len(question.text) > 300:
        return None
    about = bool(_OPEN.search(_NOT_HOURS.sub(" ", question.lower)))
    previous = question.previous(*_FUNCTIONS)
    days, times = question.of_kind("date"), question.of_kind("time")
    subject = _subject(question)
    follows = previous is not None and (question.is_follow_up or len(question.text) < 28)
    if not about and not (follows and (days or times or _bare_hour(question) or subject or _WEEKEND.search(question.lower))):
        if not (days and times and len(question.text) < 60 and not question.of_kind("number")):
            return None
    subject = subject if subject is not None else previous.arguments.get("subject", "") if follows and (question.is_follow_up or not about) else _usual()
    base: Dict[str, Any] = {"subject": subject} if subject else {}
    sure = 0.92 if about else 0.84
    if _CLOSED_DAYS.search(question.lower):
        return Proposal("week_hours", base, 0.94, used=[])
    if any(figure.value.day is None for figure in days):
        return None
    day = _day(days[0]) if days else ""
    if not day and follows and (times or _bare_hour(question)) and previous.arguments.get("day"):
        day = previous.arguments["day"]
    if _NOW.search(question.lower) and not times:
        now = datetime.now()
        return Proposal("open_at", dict(base, day="today", time="%02d:%02d" % (now.hour, now.minute)), sure, used=days)
    hour = times[0] if times else _bare_hour(question)
    if hour is not None and len(times) < 2:
        minutes = _likely(hour, day or "today", subject)
        if minutes is not None:
            return Proposal("open_at", dict(base, day=day or "today", time=clock_text(minutes)), sure, used=[*days[:1], hour])
    if follows and not days and previous.function == "open_at" and subject != previous.arguments.get("subject", ""):
        return Proposal("open_at", dict(previous.arguments, **base), sure, used=[])
    if days and not days[0].value.year_given and days[0].value.weekday is None and re.search(r"[a-z]{4}|节|旦|夜", days[0].text.lower()) and not re.match(r"\d|(?:%s)" % "|".join(MONTHS), days[0].text.lower()):
        return _holiday(days[0], subject, base)
    if days and not _EVERY.search(question.lower):
        if len(days) > 1 and days[0].value.weekday is not None:
            return Proposal("week_hours", base, sure, used=days)
        if follows and previous.function == "open_at" and not about:
            return Proposal("open_at", dict(previous.arguments, day=day), sure, used=days[:1])
        return Proposal("hours_on", dict(base, day=day), sure if days[0].value.year_given or days[0].value.weekday is not None else 0.7, used=days[:1])
    if (about or follows) and subject == _usual() and _subject(question) is None and "" not in subjects() and len(subjects()) > 1 and not question.is_follow_up:
        base = {}  # several things, none of them named: all of them
    if about or follows:
        general = re.search(r"\bhours\b|\bwhen\b|\bwhat time\b|\bhow late\b|\bopening\b|\bdays\b|\bweek|\bopen\b|\bclose|几点|时间|什么时候|营业|开放|周末|每天|开门|关门|上班|下班|平时", question.lower)
        return Proposal("week_hours", base, (0.86 if general else 0.56) if about else 0.7, used=[figure for figure in question.figures if figure.kind == "number" and figure.text in ("24", "7")])
    return None


def _holiday(figure: Figure, subject: str, base: Dict[str, Any]) -> Optional[Proposal]:
    """A day with a name of its own: only the regular hours of its weekday are known."""
    told = _told_of(figure)
    if told:  # what the requirement says of such days counts, not the hours of the weekday
        return Proposal("hours_on", dict(base, day=figure.value.day.isoformat()), 0.9, ask={"en": told, "zh": told})
    result = hours_on(figure.value.day.isoformat(), subject)
    day, zh_day = _name(result["day"], "en"), _name(result["day"], "zh")
    en = "open %s" % _spans(result["spans"], "en") if result["spans"] else "closed"
    zh = "%s 营业" % _spans(result["spans"], "zh") if result["spans"] else "不营业"
    return Proposal("hours_on", dict(base, day=figure.value.day.isoformat()), 0.72, ask={
        "en": "I know no special hours for %s (%s); on a %s it is normally %s." % (figure.text, result["date"], day, en),
        "zh": "没有%s（%s）的特别安排；平时%s%s。" % (figure.text, result["date"], zh_day, zh)})


def _told_of(figure: Figure) -> str:
    """The notes that name the day, its date or its month's holidays."""
    day, word = figure.value.day, figure.text.lower()
    month = MONTHS_SAID[day.month - 1]
    named = re.compile(r"%s|\b%s\w*\.? (?:\d{1,2}\D{1,6})?%d\b|\b%d\.? %s|\b(?:public|bank) holidays?\b|节假日|法定假" % (re.escape(word), month, day.day, day.day, month), re.IGNORECASE)
    return "\n".join(text for data in knowledge.of_kind("notes") for text in data["passages"] if named.search(text))


MONTHS_SAID = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _usual() -> str:
    names = subjects()
    return "" if "" in names else names[0]


def _subject(question: Question) -> Optional[str]:
    """What the hours are asked of, when the text names it."""
    names = [name for name in subjects() if name]
    found = find_mentions(question.text, names)
    if found:
        return found[0].name
    parts = find_parts(question.text, names, [])
    if parts and len(parts[0][1]) == 1:
        return parts[0][1][0]
    for words, signs in _MEALS:
        meant = [name for name in names if re.search(signs, name.lower())]
        if len(meant) == 1 and re.search(words, question.lower):
            return meant[0]
    return None


def _day(figure: Figure) -> str:
    mention = figure.value
    if mention.weekday is not None:
        return WEEKDAYS[mention.weekday].capitalize()
    return mention.day.isoformat()


def _bare_hour(question: Question) -> Optional[Figure]:
    """The 5 of "are you open at 5?"."""
    for figure in question.figures:
        if figure.kind == "number" and figure.value == int(figure.value) and 0 < figure.value <= 24 and _BARE_HOUR.search(question.lower[: figure.start]) and not figure.currency:
            if not re.match(r"\s*(?:%|people|persons|kids|euro|days?|weeks?|hours?|minutes?|人|天|周|个|小时)", question.lower[figure.end :]):
                return figure
    return None


def _likely(figure: Figure, day: str, subject: str) -> Optional[int]:
    """The minutes of the day that are meant: at 5 in a shop that opens at 9 is 17:00."""
    if figure.kind == "time":
        minutes, is_open_half = figure.value.minutes, figure.value.open_half
    else:
        minutes, is_open_half = int(figure.value) % 24 * 60, figure.value <= 12
    if not is_open_half or minutes >= 13 * 60:
        return minutes
    try:
        spans = hours_on(day, subject)["spans"]
        both = [minutes % 720, minutes % 720 + 720]
        inside = [value for value in both if open_at(day, clock_text(value), subject)["open"]]
    except ValueError:
        return minutes
    if len(inside) == 1:
        return inside[0]
    if not inside and spans:
        return both[1] if both[0] < 6 * 60 else both[0]
    return both[1] if minutes % 720 < 6 * 60 else both[0]


_ZH_DAYS = dict(zip([name.capitalize() for name in WEEKDAYS], "一二三四五六日"))


def _name(day: str, language: str) -> str:
    return "周" + _ZH_DAYS[day] if language == "zh" else day


def _spans(spans: List[Dict[str, str]], language: str) -> str:
    return ("、" if language == "zh" else " and ").join("%s–%s" % (span["from"], span["to"]) for span in spans)


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Say yes or no with the hours, or list them."""
    zh = language == "zh"
    subject = result["subject"]
    if function == "week_hours":
        return _week(result, language)
    day = _name(result["day"], language)
    if result["date"]:
        day = "%s（%s）" % (result["date"], day) if zh else "%s (%s)" % (day, result["date"])
    spans = _spans(result["spans"], language)
    about = subject + "：" if zh and subject else subject + ": " if subject else ""
    if function == "open_at":
        if result["open"]:
            return "%s是的，%s %s 开门（营业时间 %s）。" % (about, day, result["time"], spans or "到前一天的营业结束") if zh else "%sYes, on %s at %s it is open (%s)." % (about, day, result["time"], spans or "still from the evening before")
        if not result["spans"]:
            return "%s不开，%s不营业。" % (about, day) if zh else "%sNo, on %s it is closed all day." % (about, day)
        return "%s不开，%s %s 已关门或未开门（营业时间 %s）。" % (about, day, result["time"], spans) if zh else "%sNo, on %s at %s it is closed (open %s)." % (about, day, result["time"], spans)
    if not result["spans"]:
        return "%s%s不营业。" % (about, day) if zh else "%sOn %s it is closed." % (about, day)
    return "%s%s %s 营业。" % (about, day, spans) if zh else "%sOn %s it is open %s." % (about, day, spans)


def _week(result: Dict[str, Any], language: str) -> str:
    """The week with days of the same hours put together: Monday–Thursday 09:00–17:30."""
    zh = language == "zh"
    if result.get("parts"):
        return "\n".join(_week(part, language) for part in result["parts"])
    lines: List[str] = []
    run: List[Dict[str, Any]] = []
    for day in [*result["days"], None]:
        if run and (day is None or day["spans"] != run[0]["spans"]):
            first, last = _name(run[0]["day"], language), _name(run[-1]["day"], language)
            names = first if len(run) == 1 else "%s至%s" % (first, last) if zh else "%s–%s" % (first, last)
            lines.append("- %s: %s" % (names, _spans(run[0]["spans"], language) or ("不营业" if zh else "closed")))
            run = []
        if day is not None:
            run.append(day)
    head = [result["subject"] + ("：" if zh else ":")] if result["subject"] else []
    return "\n".join(head + lines)
