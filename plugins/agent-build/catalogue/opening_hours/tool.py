"""When something is open, from the opening hours that came with the requirement."""
from __future__ import annotations

from datetime import date
from typing import Any, Dict, List, Optional

from runtime import knowledge
from runtime.refusal import Refused

__all__ = ["hours_on", "open_at", "week_hours"]

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def subjects() -> List[str]:
    """What the hours are told of: "" for the whole place, else names such as "café"."""
    return list(dict.fromkeys(entry.get("subject") or "" for data in knowledge.of_kind("hours") for entry in [*data.get("hours", []), *data.get("closed", [])]))


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and (minute or "0").isdigit() and int(hour) <= 24 and int(minute or 0) < 60):
        raise Refused("%r is no time; write it as HH:MM" % text, "“%s”不是时间，请写成 HH:MM" % text)
    return int(hour) * 60 + int(minute or 0)


def _day(day: str) -> int:
    """1 for Monday to 7 for Sunday, of a weekday's name, a date or "today"."""
    text = day.strip().lower()
    if text == "today":
        return date.today().isoweekday()
    for number, name in enumerate(_NAMES, 1):
        if text == name.lower():
            return number
    try:
        return date.fromisoformat(text).isoweekday()
    except ValueError as error:
        raise Refused("%r is no day" % day, "“%s”不是有效的日期" % day) from error


def _spans(day: int, subject: str) -> Optional[List[Dict[str, str]]]:
    """The hours of a day: [] when it is closed, None when nothing is said about it. Hours that name no days hold every day."""
    wanted = subject.strip().lower()
    entries = [entry for data in knowledge.of_kind("hours") for entry in data.get("hours", []) if (entry.get("subject") or "").lower() == wanted]
    if not entries and not any((entry.get("subject") or "").lower() == wanted for data in knowledge.of_kind("hours") for entry in data.get("closed", [])):
        if wanted:
            raise Refused("I know no hours of %s" % subject, "没有%s的开放时间" % subject)
        raise Refused("I know no opening hours", "没有营业时间的资料")
    found = [{"from": entry["from"], "to": entry["to"]} for entry in entries if not entry["days"] or day in entry["days"]]
    closed = any(day in entry["days"] for data in knowledge.of_kind("hours") for entry in data.get("closed", []) if (entry.get("subject") or "").lower() in (wanted, ""))
    if found and not (closed and not all(entry["days"] for entry in entries)):
        return sorted(found, key=lambda span: _minutes(span["from"]))
    # Hours that name some days leave the others closed.
    return [] if closed or entries else None


def hours_on(day: str, subject: str = "") -> Dict[str, Any]:
    """Tell the opening hours of a day.

    Args:
        day: "Monday" to "Sunday", "today", or YYYY-MM-DD.
        subject: what is open, when several things have hours of their own; "" for the whole.

    Returns:
        {"day": the weekday's name, "date": when one was given, "subject", "open": whether
        it opens at all, "spans": [{"from", "to"}]}.

    Raises:
        ValueError: there are no hours, or that is no day.
    """
    number = _day(day)
    spans = _spans(number, subject) or []
    named = day if day[:1].isdigit() else date.today().isoformat() if day.strip().lower() == "today" else ""
    return {"day": _NAMES[number - 1], "date": named, "subject": subject, "open": bool(spans), "spans": spans}


def open_at(day: str, time: str, subject: str = "") -> Dict[str, Any]:
    """Tell whether it is open on a day at a time. Hours past midnight belong to the day on which they begin.

    Args:
        day: "Monday" to "Sunday", "today", or YYYY-MM-DD.
        time: HH:MM.
        subject: what is open, when several things have hours of their own; "" for the whole.

    Returns:
        {"day", "date", "subject", "time", "open", "spans": the hours of that day}. At the
        closing time itself it is closed.

    Raises:
        ValueError: there are no hours, or that is no day or time.
    """
    about, minutes = hours_on(day, subject), _minutes(time)
    is_open = any(_holds(span, minutes) for span in about["spans"])
    before = _spans((_day(day) - 2) % 7 + 1, subject) or []
    late = any(_minutes(span["to"]) <= _minutes(span["from"]) and minutes < _minutes(span["to"]) for span in before)
    return dict(about, time=time, open=is_open or late)


def _holds(span: Dict[str, str], minutes: int) -> bool:
    start, end = _minutes(span["from"]), _minutes(span["to"])
    return start <= minutes < (end if end > start else end + 1440)


def week_hours(subject: str = "") -> Dict[str, Any]:
    """Tell the opening hours of the whole week.

    Args:
        subject: what is open, when several things have hours of their own; "" for the whole.

    Returns:
        {"subject", "days": [{"day", "spans": [{"from", "to"}]}], "closed": [names of the days on which it stays closed]};
        {"parts": [the same for each]} when several things have hours of their own and none is named.

    Raises:
        ValueError: there are no hours.
    """
    told = {entry.get("subject") or "" for data in knowledge.of_kind("hours") for entry in data.get("hours", [])}
    if not subject and "" not in told and len(told) > 1:
        parts = [week_hours(name) for name in subjects() if name in told]
        return {"subject": "", "days": [], "closed": [], "parts": parts}
    subject = subject or ("" if "" in told or not told else next(iter(told)))
    if not any(_spans(number, subject) for number in range(1, 8)):
        raise Refused("I know no opening hours", "没有营业时间的资料")
    days = [{"day": _NAMES[number - 1], "spans": _spans(number, subject) or []} for number in range(1, 8)]
    return {"subject": subject, "days": days, "closed": [day["day"] for day in days if not day["spans"]]}
