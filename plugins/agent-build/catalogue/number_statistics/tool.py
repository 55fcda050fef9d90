"""Figures over a list of numbers: mean, median, spread, extremes. Decimals, never floats."""
from __future__ import annotations

from collections import Counter
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Dict, List, Optional

from runtime.refusal import Refused
from runtime.writing import json_number

__all__ = ["describe_numbers"]

_MAX_NUMBERS = 10000


def _median(values: List[Decimal]) -> Decimal:
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def _quantile(values: List[Decimal], quarter: int) -> Decimal:
    """The value at so many quarters of the way (inclusive method)."""
    place, rest = divmod((len(values) - 1) * quarter, 4)
    return values[place] if rest == 0 else (values[place] * (4 - rest) + values[place + 1] * rest) / 4


def describe_numbers(numbers: List[float], wanted: Optional[List[str]] = None) -> Dict[str, Any]:
    """Describe a list of numbers.

    Args:
        numbers: one to 10,000 numbers.
        wanted: names of the figures that are asked for, to be told first; all when left out.

    Returns:
        {"count", "sum", "mean", "median", "mode": [most frequent, when one repeats],
        "minimum", "maximum", "range", "variance" and "standard_deviation" (of the
        sample, None for one number), "population_deviation", "quartiles": [q1, q3] or
        None, "product"}.

    Raises:
        ValueError: there are none, too many, or not finite ones.
    """
    if not 0 < len(numbers) <= _MAX_NUMBERS:
        raise Refused("give 1 to %d numbers" % _MAX_NUMBERS, "请给出 1 到 %d 个数字" % _MAX_NUMBERS)
    try:
        values = sorted(Decimal(str(number)) for number in numbers)
    except InvalidOperation as error:
        raise Refused("the numbers must be numbers", "请只给出数字") from error
    if not all(value.is_finite() and abs(value) < Decimal(10) ** 30 for value in values):
        raise Refused("the numbers must be finite", "数字必须是有限的")
    with localcontext() as context:
        context.prec = 60
        count, total = len(values), sum(values, Decimal(0))
        mean = total / count
        squares = sum(((value - mean) ** 2 for value in values), Decimal(0))
        variance: Optional[Decimal] = squares / (count - 1) if count > 1 else None
        often = Counter(values)
        top = max(often.values())
        product = Decimal(1)
        for value in values if count <= 50 else []:
            product *= value
        figures = {
            "count": count, "sum": total, "mean": mean, "median": _median(values), "mode": [value for value in often if often[value] == top] if top > 1 else [],
            "minimum": values[0], "maximum": values[-1], "range": values[-1] - values[0], "variance": variance,
            "standard_deviation": variance.sqrt() if variance is not None else None, "population_deviation": (squares / count).sqrt(),
            "quartiles": [_quantile(values, 1), _quantile(values, 3)] if count > 1 else None, "product": product if count <= 50 else None,
        }
        return {name: _plain(value) for name, value in figures.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return json_number(round(value, 6)) if isinstance(value, Decimal) else value
