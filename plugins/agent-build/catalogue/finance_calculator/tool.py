"""Everyday money arithmetic: percentages, VAT, discount, tip, interest, savings, loans, margins. Decimals, never floats."""
from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Dict

from runtime.refusal import Refused

__all__ = [
    "percentage_of", "percentage_change", "share_in_percent", "add_percentage", "remove_percentage", "compound_interest", "simple_interest", "savings_plan",
    "loan_payment", "split_bill", "profit_margin",
]


def _decimal(value: float, name: str, low: float = 0, high: float = 1e12) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Refused("%s is no number" % name, "数值无效") from error
    if not number.is_finite() or not low <= number <= high:
        raise Refused("%s must lie between %g and %g" % (name, low, high), "数值应在 %g 到 %g 之间" % (low, high))
    return number


def _cents(value: Decimal) -> float:
    return float(value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def percentage_of(amount: float, percent: float) -> Dict[str, Any]:
    """Take a percentage of an amount.

    Args:
        amount: the whole.
        percent: how many percent of it.

    Returns:
        {"amount", "percent", "part"}.
    """
    base, rate = _decimal(amount, "amount", -1e12), _decimal(percent, "percent", -1e6, 1e6)
    return {"amount": amount, "percent": percent, "part": float(round(base * rate / 100, 6))}


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
        raise Refused("a change from 0 has no percentage", "从 0 开始的变化没有百分比")
    return {"before": before, "after": after, "difference": float(new - old), "percent": _cents((new - old) / abs(old) * 100)}


def share_in_percent(part: float, whole: float) -> Dict[str, Any]:
    """Tell how many percent a part is of the whole.

    Args:
        part: the part.
        whole: the whole, not 0.

    Returns:
        {"part", "whole", "percent"}.
    """
    one, all_of_it = _decimal(part, "part", -1e12), _decimal(whole, "whole", -1e12)
    if all_of_it == 0:
        raise Refused("nothing is a percentage of 0", "0 没有百分比")
    return {"part": part, "whole": whole, "percent": _cents(one / all_of_it * 100)}


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


def remove_percentage(total: float, percent: float) -> Dict[str, Any]:
    """Find the amount that an addition such as VAT was made to ("119 including 19%"), or that a discount was taken off.

    Args:
        total: the amount with the addition, or after the discount.
        percent: the percentage that was added; negative for a discount, more than -100.

    Returns:
        {"total", "percent", "net": the amount before, "part": what was added}.
    """
    gross, rate = _decimal(total, "total"), _decimal(percent, "percent", -99.99, 1000)
    net = gross / (1 + rate / 100)
    return {"total": total, "percent": percent, "net": _cents(net), "part": _cents(gross - net)}


def compound_interest(principal: float, annual_percent: float, years: float, periods_per_year: int = 1) -> Dict[str, Any]:
    """Compute what capital grows to with compound interest.

    Args:
        principal: the capital at the start.
        annual_percent: the nominal interest rate a year, in percent.
        years: for how long, 0 to 200.
        periods_per_year: how often interest is added: 1, 2, 4, 12, 52 or 365.

    Returns:
        {"principal", "annual_percent", "years", "periods_per_year", "final", "interest",
        "simple": what it would grow to with simple interest}.
    """
    capital, rate = _decimal(principal, "principal"), _decimal(annual_percent, "annual_percent", -50, 1000)
    time = _decimal(years, "years", 0, 200)
    if periods_per_year not in (1, 2, 4, 12, 52, 365):
        raise Refused("interest is added 1, 2, 4, 12, 52 or 365 times a year", "每年计息次数应为 1、2、4、12、52 或 365")
    final = capital * (1 + rate / 100 / periods_per_year) ** (time * periods_per_year)
    return {
        "principal": principal, "annual_percent": annual_percent, "years": years, "periods_per_year": periods_per_year,
        "final": _cents(final), "interest": _cents(final - capital), "simple": _cents(capital * (1 + rate / 100 * time)),
    }


def simple_interest(principal: float, annual_percent: float, years: float) -> Dict[str, Any]:
    """Compute simple interest: every year the same, on the capital alone.

    Args:
        principal: the capital at the start.
        annual_percent: the interest rate a year, in percent.
        years: for how long, 0 to 200.

    Returns:
        {"principal", "annual_percent", "years", "final", "interest"}.
    """
    capital, rate = _decimal(principal, "principal"), _decimal(annual_percent, "annual_percent", -50, 1000)
    interest = capital * rate / 100 * _decimal(years, "years", 0, 200)
    return {"principal": principal, "annual_percent": annual_percent, "years": years, "final": _cents(capital + interest), "interest": _cents(interest)}


def savings_plan(monthly: float, annual_percent: float, years: float, start: float = 0) -> Dict[str, Any]:
    """Compute what a monthly deposit grows to, paid at the end of every month, with interest added monthly.

    Args:
        monthly: the deposit of each month.
        annual_percent: the nominal interest rate a year, in percent.
        years: for how long, up to 100.
        start: what is there at the beginning.

    Returns:
        {"monthly", "annual_percent", "years", "start", "final", "paid", "interest"}.
    """
    deposit, first = _decimal(monthly, "monthly"), _decimal(start, "start")
    rate = _decimal(annual_percent, "annual_percent", 0, 1000) / 1200
    months = int((_decimal(years, "years", 0, 100) * 12).to_integral_value())
    growth = (1 + rate) ** months
    final = first * growth + (deposit * months if rate == 0 else deposit * (growth - 1) / rate)
    paid = first + deposit * months
    return {"monthly": monthly, "annual_percent": annual_percent, "years": years, "start": start, "final": _cents(final), "paid": _cents(paid), "interest": _cents(final - paid)}


def loan_payment(principal: float, annual_percent: float, years: float, equal_principal: bool = False) -> Dict[str, Any]:
    """Compute the monthly payment of a loan.

    Args:
        principal: the sum borrowed.
        annual_percent: the nominal interest rate a year, in percent.
        years: the term, up to 60.
        equal_principal: false for equal payments; true when every month pays back the
            same part of the principal, so that the payments fall.

    Returns:
        {"principal", "annual_percent", "years", "months", "monthly": the payment (the
        first one when they fall), "last": the last payment, "total", "interest"}.
    """
    capital, rate = _decimal(principal, "principal"), _decimal(annual_percent, "annual_percent", 0, 1000) / 1200
    months = int((_decimal(years, "years", 0, 60) * 12).to_integral_value())
    if months < 1:
        raise Refused("the term is shorter than a month", "期限不足一个月")
    if equal_principal:
        part = capital / months
        monthly, last = part + capital * rate, part + part * rate
        total = capital + capital * rate * (months + 1) / 2
    else:
        monthly = last = capital / months if rate == 0 else capital * rate / (1 - (1 + rate) ** -months)
        total = monthly * months
    return {
        "principal": principal, "annual_percent": annual_percent, "years": years, "months": months,
        "monthly": _cents(monthly), "last": _cents(last), "total": _cents(total), "interest": _cents(total - capital),
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
        raise Refused("between 1 and 1000 people can share a bill", "分摊人数应在 1 到 1000 之间")
    total = _decimal(amount, "amount") * (1 + _decimal(tip_percent, "tip_percent", 0, 200) / 100)
    each = (total / people).quantize(Decimal("0.01"), rounding=ROUND_CEILING)
    return {"amount": amount, "people": people, "tip_percent": tip_percent, "total": _cents(total), "each": float(each)}


def profit_margin(cost: float, price: float) -> Dict[str, Any]:
    """Tell profit, margin (of the price) and markup (on the cost).

    Args:
        cost: what it cost, more than 0.
        price: what it sells for, more than 0.

    Returns:
        {"cost", "price", "profit", "margin_percent", "markup_percent"}.
    """
    paid, asked = _decimal(cost, "cost", 0.000001), _decimal(price, "price", 0.000001)
    return {"cost": cost, "price": price, "profit": _cents(asked - paid), "margin_percent": _cents((asked - paid) / asked * 100), "markup_percent": _cents((asked - paid) / paid * 100)}
