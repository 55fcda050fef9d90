"""Figures over a list of numbers: mean, median, spread, extremes."""
from __future__ import annotations

import math
import statistics
from typing import Any, Dict, List

__all__ = ["describe_numbers"]

_MAX_NUMBERS = 10000


def describe_numbers(numbers: List[float]) -> Dict[str, Any]:
    """Describe a list of numbers.

    Args:
        numbers: one to 10,000 numbers.

    Returns:
        {"count", "sum", "mean", "median", "mode": [most frequent, when one repeats],
        "minimum", "maximum", "range", "standard_deviation" (of the sample, None for
        one number), "quartiles": [q1, q3] or None}.

    Raises:
        ValueError: there are none, too many, or not finite ones.
    """
    if not 0 < len(numbers) <= _MAX_NUMBERS:
        raise ValueError("give 1 to %d numbers" % _MAX_NUMBERS)
    values = [float(number) for number in numbers]
    if not all(math.isfinite(value) for value in values):
        raise ValueError("the numbers must be finite")
    modes = statistics.multimode(values)
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else None
    figures = {
        "count": len(values),
        "sum": math.fsum(values),
        "mean": math.fsum(values) / len(values),
        "median": statistics.median(values),
        "mode": modes if len(modes) < len(values) else [],
        "minimum": min(values),
        "maximum": max(values),
        "range": max(values) - min(values),
        "standard_deviation": statistics.stdev(values) if len(values) > 1 else None,
        "quartiles": [quartiles[0], quartiles[2]] if quartiles else None,
    }
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in figures.items()}
