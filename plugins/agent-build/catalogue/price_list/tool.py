"""Prices from the price list that came with the requirement: totals, comparison, budget."""
from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Optional

from runtime import knowledge
from runtime.units import convert, find_unit

__all__ = ["quote_items", "compare_prices", "list_prices", "how_many_for"]


def _items() -> List[Dict[str, Any]]:
    items = [item for data in knowledge.of_kind("prices") for item in data["items"]]
    if not items:
        raise LookupError("there is no price list")
    return items


def item_names() -> List[str]:
    """The names of all items on the price list."""
    return [item["name"] for data in knowledge.of_kind("prices") for item in data["items"]]


def _find(name: str) -> Optional[Dict[str, Any]]:
    wanted = name.strip().lower()
    return next((item for item in _items() if item["name"].lower() == wanted), None)


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError("%r is no number" % (value,)) from error
    if not number.is_finite() or abs(number) > Decimal(10) ** 12:
        raise ValueError("%r is no usable number" % (value,))
    return number


def _plain(value: Decimal) -> str:
    """12 and 12.50, but never 12.5 nor 1E+1."""
    value = value.quantize(Decimal("0.01")) if value == value.quantize(Decimal("0.01")) else value.quantize(Decimal("0.0001")).normalize()
    return str(int(value)) if value == value.to_integral_value() else format(value, "f")


def _quantity_in(item: Dict[str, Any], quantity: Decimal, unit: str) -> Decimal:
    """The quantity in the unit the item is priced by; an error when the two do not fit."""
    per = item.get("per") or ""
    if not unit or unit == per:
        return quantity
    asked, priced = find_unit(unit), find_unit(per) if per else None
    if asked and priced and asked[0] == priced[0]:
        return _number(convert(float(quantity), unit, per)[3])
    raise ValueError("%s is priced per %s, not per %s" % (item["name"], per or "piece", unit))


def quote_items(items: List[Dict[str, Any]], discount_percent: float = 0) -> Dict[str, Any]:
    """Add up what a number of items cost.

    Args:
        items: a list of {"name": str, "quantity": number, "unit": str}; quantity is 1
            and the unit that of the price list when left out.
        discount_percent: a discount on the total, 0 to 100.

    Returns:
        {"lines": [{"name", "quantity", "unit", "price", "currency", "subtotal"}],
        "totals": {currency: amount}, "unknown": [names not on the list],
        "discount_percent"}. Amounts are decimal strings.

    Raises:
        LookupError: none of the items is on the price list.
        ValueError: a quantity is negative, or in a unit the item is not sold by.
    """
    discount = _number(discount_percent)
    if not 0 <= discount <= 100:
        raise ValueError("a discount lies between 0 and 100 percent")
    lines, unknown = [], []
    totals: Dict[str, Decimal] = {}
    for wanted in items:
        item = _find(str(wanted["name"]))
        if item is None:
            unknown.append(str(wanted["name"]))
            continue
        quantity = _number(wanted.get("quantity", 1))
        if quantity < 0:
            raise ValueError("a quantity cannot be negative")
        amount = _quantity_in(item, quantity, str(wanted.get("unit") or ""))
        price, currency = _number(item["amount"]), item["currency"]
        totals[currency] = totals.get(currency, Decimal(0)) + price * amount
        lines.append(
            {
                "name": item["name"],
                "quantity": _plain(amount),
                "unit": item.get("per") or "",
                "price": _plain(price),
                "currency": currency,
                "subtotal": _plain(price * amount),
            }
        )
    if not lines:
        names = [item["name"] for item in _items()]
        more = " and %d more" % (len(names) - 12) if len(names) > 12 else ""
        raise LookupError("%s is not on the price list, which has: %s%s" % (", ".join(unknown) or "that", ", ".join(names[:12]), more))
    return {
        "lines": lines,
        "totals": {currency: _plain(total * (100 - discount) / 100) for currency, total in totals.items()},
        "unknown": unknown,
        "discount_percent": float(discount),
    }


def compare_prices(names: Optional[List[str]] = None, order: str = "ascending") -> Dict[str, Any]:
    """Rank items by price.

    Args:
        names: the items to compare; all items of the list when left out.
        order: "ascending" (cheapest first) or "descending" (most expensive first).

    Returns:
        {"items": [{"name", "price", "currency", "per"}], "order", "difference": between
        the first two when there are exactly two of one currency, else None}.

    Raises:
        LookupError: one of the names is not on the list.
    """
    chosen = _items() if not names else [_find(name) for name in names]
    missing = [name for name, item in zip(names or [], chosen) if item is None]
    if missing:
        raise LookupError("not on the price list: %s" % ", ".join(missing))
    ranked = sorted((item for item in chosen if item), key=lambda item: _number(item["amount"]), reverse=order == "descending")
    difference = None
    if len(ranked) == 2 and ranked[0]["currency"] == ranked[1]["currency"]:
        difference = _plain(abs(_number(ranked[0]["amount"]) - _number(ranked[1]["amount"])))
    return {"items": [_entry(item) for item in ranked], "order": order, "difference": difference}


def list_prices(limit: int = 50) -> Dict[str, Any]:
    """List the items with their prices, in the order of the price list.

    Args:
        limit: at most so many items.

    Returns:
        {"items": [{"name", "price", "currency", "per"}], "count": number of all items}.
    """
    items = _items()
    return {"items": [_entry(item) for item in items[: max(1, limit)]], "count": len(items)}


def how_many_for(name: str, budget: float) -> Dict[str, Any]:
    """Tell how many of an item a budget buys.

    Args:
        name: an item of the price list.
        budget: the money, in the currency of that item.

    Returns:
        {"name", "budget", "count", "left", "price", "currency"}.

    Raises:
        LookupError: the item is not on the list.
        ValueError: the item is free, or the budget is negative.
    """
    item = _find(name)
    if item is None:
        raise LookupError("%s is not on the price list" % name)
    price, money = _number(item["amount"]), _number(budget)
    if price <= 0 or money < 0:
        raise ValueError("that has no answer")
    count = int(money // price)
    return {
        "name": item["name"],
        "budget": _plain(money),
        "count": count,
        "left": _plain(money - price * count),
        "price": _plain(price),
        "currency": item["currency"],
    }


def _entry(item: Dict[str, Any]) -> Dict[str, str]:
    return {"name": item["name"], "price": _plain(_number(item["amount"])), "currency": item["currency"], "per": item.get("per") or ""}
