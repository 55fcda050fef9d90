"""Currency conversion at the rates that came with the requirement; no rate is ever guessed."""
from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Dict, List, Optional

from runtime import knowledge
from runtime.refusal import Refused, Unknown
from runtime.writing import json_number

__all__ = ["convert_currency", "list_rates"]


def _rates() -> List[Dict[str, str]]:
    return [rate for data in knowledge.of_kind("rates") for rate in data["rates"]]


def currencies() -> List[str]:
    """All currencies that a rate names."""
    return list(dict.fromkeys(code for rate in _rates() for code in (rate["from"], rate["to"])))


def _rate(source: str, target: str) -> Optional[Decimal]:
    """The rate along the shortest chain of known rates, either way round."""
    reached: Dict[str, Decimal] = {source: Decimal(1)}
    frontier = [source]
    while frontier and target not in reached:
        following = []
        for code in frontier:
            for rate in _rates():
                value = Decimal(rate["rate"])
                for start, end, factor in ((rate["from"], rate["to"], value), (rate["to"], rate["from"], 1 / value)):
                    if start == code and end not in reached:
                        reached[end] = reached[code] * factor
                        following.append(end)
        frontier = following
    return reached.get(target)


def convert_currency(amount: float, from_currency: str, to_currency: str) -> Dict[str, Any]:
    """Convert an amount of money at the known rates.

    Args:
        amount: how much.
        from_currency: its code, such as "EUR".
        to_currency: the wanted code.

    Returns:
        {"amount", "from", "to", "rate", "result"}; the result is rounded to two decimals.

    Raises:
        ValueError: the known rates do not connect the two currencies, or the amount is no number.
    """
    source, target = from_currency.upper(), to_currency.upper()
    known = currencies()
    rate = _rate(source, target) if source in known else None
    if rate is None:
        raise Unknown("I have no rate from %s to %s. I know: %s." % (source, target, ", ".join(known)), "我没有 %s 到 %s 的汇率。已知的币种有：%s。" % (source, target, "、".join(known)))
    try:
        money = Decimal(str(amount))
        result = (money * rate).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    except InvalidOperation as error:
        raise Refused("%r is no usable amount" % amount, "“%s”不是可用的金额" % amount) from error
    return {"amount": amount, "from": source, "to": target, "rate": json_number(round(rate, 6)), "result": str(result)}


def list_rates() -> Dict[str, Any]:
    """List the known rates.

    Returns:
        {"rates": [{"from", "to", "rate"}]}.
    """
    return {"rates": _rates()}
