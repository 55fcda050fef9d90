"""Everyday money arithmetic: percentage change, VAT, discount, tip, compound interest, loan payments."""
from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Dict

__all__ = ["percentage_change", "add_percentage", "compound_interest", "loan_payment", "split_bill"]


def _decimal(value: float, name: str, low: float = 0, high: float = 1e12) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("%s is no number" % name) from error
    if not number.is_finite() or not low <= number <= high:
        raise ValueError("%s must lie between %g and %g" % (name, low, high))
    return number


def _cents(value: Decimal) -> float:
    return float(value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def percentage_change(before: float, after: float) -> Dict[str, Any]:
    """Tell by how many percent a value changed.

    Args:
        before: the old value, not 0.
        after: the new value.

    Returns:
        {"before", "after", "difference", "percent"}.
    """
    old, new = _decimal(before, "before", -1e12), _decimal(after, "after", -1e12)
    if old == 0:
        raise ValueError("a change from 0 has no percentage")
    return {"before": before, "after": after, "difference": float(new - old), "percent": _cents((new - old) / abs(old) * 100)}


def add_percentage(amount: float, percent: float) -> Dict[str, Any]:
    """Add a percentage (VAT, tip) to an amount, or take it off (discount) when it is negative.

    Args:
        amount: the amount before.
        percent: the percentage, -100 to 1000.

    Returns:
        {"amount", "percent", "part": the percentage of the amount, "total"}.
    """
    base, rate = _decimal(amount, "amount"), _decimal(percent, "percent", -100, 1000)
    return {"amount": amount, "percent": percent, "part": _cents(base * rate / 100), "total": _cents(base * (1 + rate / 100))}


def compound_interest(principal: float, annual_percent: float, years: float, periods_per_year: int = 1) -> Dict[str, Any]:
    """Compute what capital grows to with compound interest.

    Args:
        principal: the capital at the start.
        annual_percent: the nominal interest rate a year, in percent.
        years: for how long, 0 to 200.
        periods_per_year: how often interest is added: 1, 2, 4, 12 or 365.

    Returns:
        {"principal", "annual_percent", "years", "final", "interest"}.
    """
    capital, rate = _decimal(principal, "principal"), _decimal(annual_percent, "annual_percent", -50, 1000)
    time = _decimal(years, "years", 0, 200)
    if periods_per_year not in (1, 2, 4, 12, 365):
        raise ValueError("periods_per_year must be 1, 2, 4, 12 or 365")
    final = capital * (1 + rate / 100 / periods_per_year) ** (time * periods_per_year)
    return {"principal": principal, "annual_percent": annual_percent, "years": years, "final": _cents(final), "interest": _cents(final - capital)}


def loan_payment(principal: float, annual_percent: float, years: float) -> Dict[str, Any]:
    """Compute the monthly payment of a loan that is paid back in equal payments.

    Args:
        principal: the sum borrowed.
        annual_percent: the nominal interest rate a year, in percent.
        years: the term, up to 60.

    Returns:
        {"principal", "annual_percent", "years", "monthly", "total", "interest"}.
    """
    capital, rate = _decimal(principal, "principal"), _decimal(annual_percent, "annual_percent", 0, 1000) / 1200
    months = int((_decimal(years, "years", 0, 60) * 12).to_integral_value())
    if months < 1:
        raise ValueError("the term is shorter than a month")
    monthly = capital / months if rate == 0 else capital * rate / (1 - (1 + rate) ** -months)
    return {
        "principal": principal,
        "annual_percent": annual_percent,
        "years": years,
        "monthly": _cents(monthly),
        "total": _cents(monthly * months),
        "interest": _cents(monthly * months - capital),
    }


def split_bill(amount: float, people: int, tip_percent: float = 0) -> Dict[str, Any]:
    """Split a bill, with a tip, between people.

    Args:
        amount: the bill.
        people: how many share it, 1 to 1000.
        tip_percent: the tip, in percent of the bill.

    Returns:
        {"amount", "people", "tip_percent", "total", "each"}; each is rounded up to a cent.
    """
    if not 1 <= people <= 1000:
        raise ValueError("between 1 and 1000 people can share a bill")
    total = _decimal(amount, "amount") * (1 + _decimal(tip_percent, "tip_percent", 0, 200) / 100)
    each = (total / people).quantize(Decimal("0.01"), rounding="ROUND_UP")
    return {"amount": amount, "people": people, "tip_percent": tip_percent, "total": _cents(total), "each": float(each)}
