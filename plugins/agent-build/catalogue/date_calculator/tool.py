"""Calendar arithmetic: days between dates, weekdays, dates so many days, weeks, months or years away."""
from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Any, Dict

__all__ = ["days_between", "weekday_of", "add_to_date"]


def _parse(text: str) -> date:
    text = text.strip().lower()
    if text == "today":
        return date.today()
    try:
        year, month, day = (int(part) for part in text.split("-"))
        return date(year, month, day)
    except ValueError as error:
        raise ValueError("%r is no date; write it as YYYY-MM-DD" % text) from error


def days_between(start: str, end: str) -> Dict[str, Any]:
    """Count the days from one date to another.

    Args:
        start: YYYY-MM-DD or "today".
        end: YYYY-MM-DD or "today"; may lie before the start.

    Returns:
        {"start", "end", "days", "weeks", "remaining_days", "workdays"}; days is
        negative when the end lies before the start. Workdays are the Mondays to
        Fridays from the earlier date up to, not including, the later one.
    """
    first, last = _parse(start), _parse(end)
    days = (last - first).days
    early = min(first, last)
    full_weeks, rest = divmod(abs(days), 7)
    workdays = full_weeks * 5 + sum((early.weekday() + offset) % 7 < 5 for offset in range(rest))
    return {
        "start": first.isoformat(),
        "end": last.isoformat(),
        "days": days,
        "weeks": full_weeks,
        "remaining_days": rest,
        "workdays": workdays,
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
        "date": parsed.isoformat(),
        "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[parsed.weekday()],
        "iso_weekday": parsed.isoweekday(),
        "iso_week": parsed.isocalendar()[1],
        "day_of_year": parsed.timetuple().tm_yday,
        "leap_year": calendar.isleap(parsed.year),
    }


def add_to_date(day: str, amount: int, unit: str = "days") -> Dict[str, Any]:
    """Move a date by an amount of time.

    Args:
        day: YYYY-MM-DD or "today".
        amount: how many units; negative goes back.
        unit: "days", "weeks", "months" or "years". A month's end stays a month's end.

    Returns:
        {"start", "amount", "unit", "date", "weekday"}.
    """
    start = _parse(day)
    try:
        if unit in ("days", "weeks"):
            moved = start + timedelta(days=amount * (7 if unit == "weeks" else 1))
        elif unit in ("months", "years"):
            month = start.year * 12 + start.month - 1 + amount * (12 if unit == "years" else 1)
            year, month = divmod(month, 12)
            moved = date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
        else:
            raise ValueError("unknown unit: %s" % unit)
    except (OverflowError, calendar.IllegalMonthError) as error:
        raise ValueError("that date lies outside the calendar") from error
    return {
        "start": start.isoformat(),
        "amount": amount,
        "unit": unit,
        "date": moved.isoformat(),
        "weekday": weekday_of(moved.isoformat())["weekday"],
    }
