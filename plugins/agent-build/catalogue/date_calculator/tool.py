"""Calendar arithmetic: days and working days between dates, weekdays, ages, dates so many days, weeks, months or years away, times of day."""
from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Any, Dict

from runtime.refusal import Refused

__all__ = ["days_between", "weekday_of", "add_to_date", "age_on", "about_year", "time_between", "add_to_time"]

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _parse(text: str) -> date:
    text = text.strip().lower()
    if text == "today":
        return date.today()
    try:
        year, month, day = (int(part) for part in text.split("-"))
        return date(year, month, day)
    except ValueError as error:
        raise Refused("%r is no date; write it as YYYY-MM-DD" % text, "“%s”不是有效日期，请写成 YYYY-MM-DD" % text) from error


def _workdays(first: date, last: date) -> int:
    """Mondays to Fridays from the first date up to, not including, the last."""
    full_weeks, rest = divmod((last - first).days, 7)
    return full_weeks * 5 + sum((first.weekday() + offset) % 7 < 5 for offset in range(rest))


def _whole_months(first: date, last: date) -> int:
    months = (last.year - first.year) * 12 + last.month - first.month
    return months - (_moved(first, months) > last)


def days_between(start: str, end: str) -> Dict[str, Any]:
    """Count the days from one date to another.

    Args:
        start: YYYY-MM-DD or "today".
        end: YYYY-MM-DD or "today"; may lie before the start.

    Returns:
        {"start", "end", "days", "weeks", "remaining_days", "months": whole months,
        "days_after_months", "workdays"}; days is negative when the end lies before the
        start. Workdays are the Mondays to Fridays from the earlier date up to, not
        including, the later one.
    """
    first, last = _parse(start), _parse(end)
    days = (last - first).days
    early, late = min(first, last), max(first, last)
    full_weeks, rest = divmod(abs(days), 7)
    months = _whole_months(early, late)
    return {
        "start": first.isoformat(), "end": last.isoformat(), "days": days, "weeks": full_weeks, "remaining_days": rest,
        "months": months, "days_after_months": (late - _moved(early, months)).days, "workdays": _workdays(early, late),
    }


def weekday_of(day: str) -> Dict[str, Any]:
    """Tell the weekday of a date.

    Args:
        day: YYYY-MM-DD or "today".

    Returns:
        {"date", "weekday", "iso_weekday" (1 is Monday), "iso_week", "day_of_year", "leap_year"}.
    """
    parsed = _parse(day)
    return {
        "date": parsed.isoformat(), "weekday": _NAMES[parsed.weekday()], "iso_weekday": parsed.isoweekday(), "iso_week": parsed.isocalendar()[1],
        "day_of_year": parsed.timetuple().tm_yday, "leap_year": calendar.isleap(parsed.year),
    }


def _moved(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def _by_workdays(start: date, amount: int) -> date:
    """So many Mondays to Fridays away; the first day itself does not count."""
    step = 1 if amount > 0 else -1
    weeks, rest = divmod(abs(amount), 5)
    day = start
    if rest == 0 and weeks and day.weekday() > 4:
        weeks, rest = weeks - 1, 5
    day += timedelta(days=7 * weeks * step)
    while rest:
        day += timedelta(days=step)
        rest -= day.weekday() < 5
    return day


def add_to_date(day: str, amount: int, unit: str = "days") -> Dict[str, Any]:
    """Move a date by an amount of time.

    Args:
        day: YYYY-MM-DD or "today".
        amount: how many units; negative goes back.
        unit: "days", "workdays" (Monday to Friday), "weeks", "months" or "years". A
            month's end stays a month's end.

    Returns:
        {"start", "amount", "unit", "date", "weekday"}.
    """
    start = _parse(day)
    try:
        if unit in ("days", "weeks"):
            moved = start + timedelta(days=amount * (7 if unit == "weeks" else 1))
        elif unit == "workdays":
            moved = _by_workdays(start, amount)
        elif unit in ("months", "years"):
            moved = _moved(start, amount * (12 if unit == "years" else 1))
        else:
            raise Refused("unknown unit: %s" % unit, "不认识的单位：%s" % unit)
    except (OverflowError, calendar.IllegalMonthError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused("that date lies outside the calendar", "这个日期超出了日历范围") from error
    return {"start": start.isoformat(), "amount": amount, "unit": unit, "date": moved.isoformat(), "weekday": _NAMES[moved.weekday()]}


def age_on(birth: str, on: str = "today") -> Dict[str, Any]:
    """Tell how old somebody is on a date.

    Args:
        birth: date of birth, YYYY-MM-DD.
        on: the date, YYYY-MM-DD or "today".

    Returns:
        {"birth", "on", "years", "months": whole months beyond the years, "days": of life}.
    """
    born, then = _parse(birth), _parse(on)
    if then < born:
        raise Refused("that date lies before the birth", "这个日期在出生之前")
    years, months = divmod(_whole_months(born, then), 12)
    return {"birth": born.isoformat(), "on": then.isoformat(), "years": years, "months": months, "days": (then - born).days}


def about_year(year: int, month: int = 0) -> Dict[str, Any]:
    """Tell whether a year is a leap year, and how many days it, or one of its months, has.

    Args:
        year: 1 to 9999.
        month: 1 to 12, or 0 for the whole year.

    Returns:
        {"year", "month", "leap_year", "days"}.
    """
    if not 1 <= year <= 9999 or not 0 <= month <= 12:
        raise Refused("that lies outside the calendar", "超出了日历范围")
    leap = calendar.isleap(year)
    return {"year": year, "month": month, "leap_year": leap, "days": calendar.monthrange(year, month)[1] if month else 365 + leap}


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) <= 24 and int(minute) < 60):
        raise Refused("%r is no time; write it as HH:MM" % text, "“%s”不是时间，请写成 HH:MM" % text)
    return int(hour) * 60 + int(minute)


def time_between(start: str, end: str) -> Dict[str, Any]:
    """Tell how long it is from one time of day to another; past midnight when the end is earlier.

    Args:
        start: HH:MM.
        end: HH:MM.

    Returns:
        {"start", "end", "minutes", "hours", "rest_minutes"}.
    """
    minutes = _minutes(end) - _minutes(start)
    minutes += 1440 if minutes < 0 else 0
    return {"start": start, "end": end, "minutes": minutes, "hours": minutes // 60, "rest_minutes": minutes % 60}


def add_to_time(time: str, minutes: int) -> Dict[str, Any]:
    """Move a time of day.

    Args:
        time: HH:MM.
        minutes: how many; negative goes back.

    Returns:
        {"start", "minutes", "time", "days": how many midnights lie between}.
    """
    days, rest = divmod(_minutes(time) + minutes, 1440)
    return {"start": time, "minutes": minutes, "time": "%02d:%02d" % divmod(rest, 60), "days": days}
