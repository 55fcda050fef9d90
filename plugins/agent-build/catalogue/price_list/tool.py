"""Prices from the price list that came with the requirement: totals, comparison, budget. Decimal arithmetic only."""
from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Optional, Tuple

from runtime import knowledge
from runtime.currencies import amount_text
from runtime.refusal import Refused, Unknown
from runtime.units import convert, find_unit
from runtime.writing import show

__all__ = ["quote_items", "compare_prices", "find_prices", "list_prices", "how_many_for"]

_PHYSICAL = ("mass", "volume", "length", "area", "time")


def price_items() -> List[Dict[str, Any]]:
    """All items of the price list."""
    return [item for data in knowledge.of_kind("prices") for item in data["items"]]


def price_rules() -> List[Dict[str, str]]:
    """The rules that change what is to be paid, such as discounts."""
    return [rule for data in knowledge.of_kind("prices") for rule in data.get("rules") or []]


# What comes on top in certain cases: 加急费30%, "express service +25%".
_SURCHARGE = re.compile(
    r"(?P<zh>加急|特急|夜间|周末|节假日|上门)(?:费|服务|服务费|件)?(?:需|要|另)*(?:加收|另收|加价|上浮|收)?[：:为]?\s*(?P<p>\d+(?:\.\d+)?)\s*%"
    r"|\b(?P<en>express|rush|same[- ]day|weekend|night|holiday|urgent|priority)\b[^.%\d]{0,30}?\+?(?P<q>\d+(?:\.\d+)?)\s?%(?!\s*(?:off|discount))", re.IGNORECASE)


def surcharges() -> List[Tuple[str, Decimal]]:
    """The words that ask for something dearer, and by how many percent."""
    texts = [text for data in knowledge.of_kind("notes") for text in data["passages"]]
    return [((match.group("zh") or match.group("en")).lower(), Decimal(match.group("p") or match.group("q"))) for text in texts for match in _SURCHARGE.finditer(text)]


def item_names() -> List[str]:
    """The names of all items on the price list."""
    return [item["name"] for item in price_items()]


def _items() -> List[Dict[str, Any]]:
    items = price_items()
    if not items:
        raise Refused("there is no price list", "没有价目表")
    return items


def _find(name: str) -> Optional[Dict[str, Any]]:
    wanted = name.strip().lower()
    return next((item for item in _items() if item["name"].lower() == wanted), None)


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Refused("%r is no number" % (value,), "%s 不是数字" % (value,)) from error
    if not number.is_finite() or abs(number) > Decimal(10) ** 12:
        raise Refused("%r is no usable number" % (value,), "%s 不是可用的数字" % (value,))
    return number


def _not_listed(names: List[str]) -> Unknown:
    known = [item["name"] for item in _items()]
    more = len(known) - 12
    en = "%s is not on the price list. I have prices for: %s%s." % (", ".join(names) or "That", ", ".join(known[:12]), " and %d more" % more if more > 0 else "")
    zh = "价目表里没有%s。有价格的是：%s%s。" % ("、".join(names) or "这个", "、".join(known[:12]), "等 %d 项" % len(known) if more > 0 else "")
    return Unknown(en, zh)


def _pack(item: Dict[str, Any]) -> Tuple[Decimal, str]:
    """What the price is for: "100g" is (100, "g"), "kg" is (1, "kg")."""
    per = str(item.get("per") or "").strip()
    match = re.match(r"(\d+(?:\.\d+)?)\s*(.*)$", per)
    return (Decimal(match.group(1)), match.group(2)) if match and Decimal(match.group(1)) > 0 else (Decimal(1), per)


def _quantity_in(item: Dict[str, Any], quantity: Decimal, unit: str) -> Decimal:
    """The quantity in the unit the item is priced by; refused when the two do not fit."""
    size, per = _pack(item)
    priced = find_unit(per) if per else None
    physical = bool(priced) and priced[0] in _PHYSICAL and per not in ("杯", "天")
    if not unit or unit == per:
        return quantity / size if unit or size == 1 or not physical else quantity
    asked = find_unit(unit)
    if asked and asked[1] == "yr" and per.lower() in ("month", "months", "月", "个月"):
        return quantity * 12 / size
    if asked and priced and asked[0] == priced[0]:
        return convert(quantity, unit, per)[3] / size
    raise Refused(
        "%s is priced per %s, not per %s." % (item["name"], item.get("per") or "piece", unit),
        "%s按%s计价，不按 %s 计价。" % (item["name"], item.get("per") or "件", unit))


def sold_by_measure(item: Dict[str, Any]) -> str:
    """The unit of weight, volume, length or area that an item is priced by; "" when it is sold by the piece."""
    per = _pack(item)[1]
    unit = find_unit(per) if per and per not in ("杯", "天") else None
    return per if unit and unit[0] in ("mass", "volume", "length", "area") else ""


def quote_items(
    items: List[Dict[str, Any]], discount_percent: float = 0, added_percent: float = 0, paid: float = 0, conditions: Optional[List[str]] = None,
    against: str = ""
) -> Dict[str, Any]:
    """Add up what a number of items cost.

    Args:
        items: a list of {"name": str, "quantity": number, "unit": str}; quantity is 1
            and the unit that of the price list when left out.
        discount_percent: a discount on the total, 0 to 100.
        added_percent: what comes on top of the total in percent, such as VAT or a tip.
        paid: the money handed over, to tell the change or what is missing.
        conditions: words such as "student" that make a rule of the list apply.
        against: one of the names, to set its cost against that of all the others together,
            without a total.

    Returns:
        {"lines": [{"name", "quantity", "unit", "price", "currency", "subtotal", "note"}],
        "totals": {currency: amount}, "before": {currency: amount before discount and
        addition}, "unknown": [names not on the list], "discount_percent",
        "added_percent", "rules": [the rules that applied], "change": amount or None,
        "currency", "against"}. Amounts are decimal strings.

    Raises:
        ValueError: none of the items is on the list, or a quantity does not fit.
    """
    discount, added, money = _number(discount_percent), _number(added_percent), _number(paid)
    if not 0 <= discount <= 100:
        raise Refused("a discount lies between 0 and 100 percent", "折扣应在 0 到 100% 之间")
    lines: List[Dict[str, Any]] = []
    unknown: List[str] = []
    low: Dict[str, Decimal] = {}
    high: Dict[str, Decimal] = {}
    amounts: List[Tuple[Dict[str, Any], Decimal]] = []
    for wanted in items:
        item = _find(str(wanted["name"]))
        if item is None:
            unknown.append(str(wanted["name"]))
            continue
        quantity = _number(1 if wanted.get("quantity") is None else wanted["quantity"])
        if quantity < 0:
            raise Refused("a quantity cannot be negative", "数量不能为负")
        amount = _quantity_in(item, quantity, str(wanted.get("unit") or ""))
        price, top = _number(item["amount"]), _number(item.get("to") or item["amount"])
        currency = item["currency"]
        low[currency] = low.get(currency, Decimal(0)) + price * amount
        high[currency] = high.get(currency, Decimal(0)) + top * amount
        amounts.append((item, amount))
        lines.append({
            "name": item["name"], "quantity": show(amount), "unit": item.get("per") or "", "price": _span(price, top), "currency": currency,
            "subtotal": _span(price * amount, top * amount), "note": item.get("note") or "",
        })
    if not lines:
        raise _not_listed(unknown)
    if discount:
        applied, taken = [], {currency: total * discount / 100 for currency, total in low.items()}
    else:
        applied, taken = _rules(amounts, low, [condition.lower() for condition in conditions or []])
    ranged = low != high
    if ranged and (applied or discount or added or money):
        taken = {currency: Decimal(0) for currency in low} if not discount else taken
    totals = {}
    for currency, total in low.items():
        factor = 1 + added / 100
        first = (total - taken.get(currency, Decimal(0))) * factor
        last = (high[currency] - (high[currency] * discount / 100 if discount else taken.get(currency, Decimal(0)))) * factor
        totals[currency] = _span(first, last)
    single = next(iter(low)) if len(low) == 1 else None
    change = None
    if money and single is not None and not ranged:
        change = amount_text(money - _number(totals[single]))
    return {
        "lines": lines, "totals": totals, "before": {currency: _span(total, high[currency]) for currency, total in low.items()}, "unknown": unknown,
        "discount_percent": float(discount), "added_percent": float(added), "rules": applied, "change": change, "paid": amount_text(money),
        "currency": single or "", "against": against if len(lines) > 1 and single is not None and not ranged else "",
    }


def _span(low: Decimal, high: Decimal) -> str:
    return amount_text(low) if low == high else "%s–%s" % (amount_text(low), amount_text(high))


# Rules that take off a sum stand in the text alone: 满200减30, "5 € off from 50 €".
_SUM_OFF = [re.compile(r"满\s*(?P<total>\d+(?:\.\d+)?)\s*元?\s*(?:立)?减\s*(?P<off>\d+(?:\.\d+)?)"),
            re.compile(r"[$€£¥]?\s?(?P<off>\d+(?:\.\d+)?)\s?(?:[$€£¥]|eur|euros?|usd|dollars?)?\s+off\b[^.;]{0,30}?\b(?:from|over|above|orders? of)\s+[$€£¥]?\s?(?P<total>\d+(?:\.\d+)?)(?!\s*(?:pieces|items|people))", re.IGNORECASE)]


def _rules(amounts: List[Tuple[Dict[str, Any], Decimal]], totals: Dict[str, Decimal], conditions: List[str]) -> Tuple[List[Dict[str, str]], Dict[str, Decimal]]:
    """The rules of the list that apply, and what each currency's total loses. Of several, the best for the customer."""
    best: Tuple[List[Dict[str, str]], Dict[str, Decimal]] = ([], {})
    for rule in price_rules():
        taken = _taken_off(rule, amounts, totals, conditions)
        if sum(taken.values()) > sum(best[1].values()):
            applied = {key: str(rule.get(key) or "") for key in ("percent_off", "from_quantity", "from_total", "applies_to")}
            if not rule.get("percent_off") and rule.get("from_quantity"):
                applied.update(bundle=rule["text"])
            elif not rule.get("percent_off"):
                found = next(match for pattern in _SUM_OFF for match in [pattern.search(rule["text"])] if match)
                applied.update(amount_off=found.group("off"), from_total=found.group("total"))
            best = ([applied], taken)
    return best


_BUNDLE = re.compile(r"(?P<n>\d+|two|three|four|five|six|ten) for (?:only |just )?[^\d\s]?\s?(?P<sum>\d+(?:[.,]\d{1,2})?)", re.IGNORECASE)
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}


def _bundled(rule: Dict[str, str], amounts: List[Tuple[Dict[str, Any], Decimal]]) -> Dict[str, Decimal]:
    """What "3 for 6" takes off the three, six or nine that are bought."""
    match = _BUNDLE.search(rule.get("text") or "")
    taken: Dict[str, Decimal] = {}
    for item, amount in amounts if match else []:
        count = Decimal(_WORDS.get(match.group("n").lower()) or match.group("n"))
        less = count * _number(item["amount"]) - Decimal(match.group("sum").replace(",", "."))
        # Less than half of the price is no bundle, but something that was read wrongly.
        if _names(rule["applies_to"].lower(), item) and 0 < less * 2 <= count * _number(item["amount"]) and amount >= count:
            taken[item["currency"]] = taken.get(item["currency"], Decimal(0)) + less * (amount // count)
    return taken


def _taken_off(rule: Dict[str, str], amounts: List[Tuple[Dict[str, Any], Decimal]], totals: Dict[str, Decimal], conditions: List[str]) -> Dict[str, Decimal]:
    """What a rule takes off, by currency; nothing when it does not apply."""
    if not rule.get("percent_off") and rule.get("from_quantity") and rule.get("applies_to"):
        return _bundled(rule, amounts)
    if not rule.get("percent_off"):
        found = next((match for pattern in _SUM_OFF for match in [pattern.search(rule.get("text") or "")] if match), None)
        currency = next(iter(totals))
        return {currency: Decimal(found.group("off"))} if found and len(totals) == 1 and totals[currency] >= Decimal(found.group("total")) else {}
    target = (rule.get("applies_to") or "").lower().strip()
    chosen = amounts
    if target:
        named = [(item, amount) for item, amount in amounts if _names(target, item)]
        if not named and not any(condition in target or target in condition for condition in conditions):
            return {}
        chosen = named or amounts
    elif not rule.get("from_quantity") and not rule.get("from_total"):
        return {}
    count = sum((amount for _, amount in chosen), Decimal(0))
    if rule.get("from_quantity") and count < _number(rule["from_quantity"]):
        return {}
    if rule.get("from_total") and max(totals.values()) < _number(rule["from_total"]):
        return {}
    taken: Dict[str, Decimal] = {}
    for item, amount in chosen:
        taken[item["currency"]] = taken.get(item["currency"], Decimal(0)) + _number(item["amount"]) * amount * _number(rule["percent_off"]) / 100
    return taken


def _names(target: str, item: Dict[str, Any]) -> bool:
    return any(target.rstrip("s") in str(item.get(key) or "").lower() or str(item.get(key) or "-").lower() == target for key in ("name", "base"))


def _chosen(names: Optional[List[str]]) -> List[Dict[str, Any]]:
    chosen = _items() if not names else [_find(name) for name in names]
    missing = [name for name, item in zip(names or [], chosen) if item is None]
    if missing:
        raise _not_listed(missing)
    return [item for item in chosen if item]


def compare_prices(names: Optional[List[str]] = None, order: str = "ascending") -> Dict[str, Any]:
    """Rank items by price.

    Args:
        names: the items to compare; all items of the list when left out.
        order: "ascending" (cheapest first) or "descending" (most expensive first).

    Returns:
        {"items": [{"name", "price", "currency", "per"}], "order", "difference": between
        the first two when there are exactly two of one currency, else None}.

    Raises:
        ValueError: one of the names is not on the list.
    """
    ranked = sorted(_chosen(names), key=lambda item: _number(item["amount"]), reverse=order == "descending")
    difference = None
    if len(ranked) == 2 and ranked[0]["currency"] == ranked[1]["currency"]:
        difference = amount_text(abs(_number(ranked[0]["amount"]) - _number(ranked[1]["amount"])))
    return {"items": [_entry(item) for item in ranked], "order": order, "difference": difference}


def find_prices(names: Optional[List[str]] = None, at_most: Optional[float] = None, at_least: Optional[float] = None) -> Dict[str, Any]:
    """Find the items within limits of price.

    Args:
        names: only these items; all items of the list when left out.
        at_most: the highest price, or nothing.
        at_least: the lowest price, or nothing.

    Returns:
        {"items": [{"name", "price", "currency", "per"}] cheapest first, "count",
        "at_most", "at_least"}.
    """
    low = None if at_least is None else _number(at_least)
    high = None if at_most is None else _number(at_most)
    found = [item for item in _chosen(names) if (low is None or _number(item["amount"]) >= low) and (high is None or _number(item.get("to") or item["amount"]) <= high)]
    found.sort(key=lambda item: _number(item["amount"]))
    return {"items": [_entry(item) for item in found], "count": len(found), "at_most": at_most, "at_least": at_least}


def list_prices(limit: int = 50, names: Optional[List[str]] = None) -> Dict[str, Any]:
    """List the items with their prices, in the order of the price list.

    Args:
        limit: at most so many items.
        names: only these items; all when left out.

    Returns:
        {"items": [{"name", "price", "currency", "per"}], "count": number of all items}.
    """
    items = _chosen(names)
    return {"items": [_entry(item) for item in items[: max(1, limit)]], "count": len(items)}


def how_many_for(name: str, budget: float) -> Dict[str, Any]:
    """Tell how many of an item a budget buys.

    Args:
        name: an item of the price list.
        budget: the money, in the currency of that item.

    Returns:
        {"name", "budget", "count", "left", "price", "currency", "per"}.

    Raises:
        ValueError: the item is not on the list or is free, or the budget is negative.
    """
    item = _find(name)
    if item is None:
        raise _not_listed([name])
    price, money = _number(item.get("to") or item["amount"]), _number(budget)
    if price <= 0 or money < 0:
        raise Refused("that has no answer", "这个问题没有答案")
    count = int(money // price)
    return {
        "name": item["name"], "budget": amount_text(money), "count": count, "left": amount_text(money - price * count), "price": amount_text(price),
        "currency": item["currency"], "per": item.get("per") or "",
    }


def _entry(item: Dict[str, Any]) -> Dict[str, str]:
    price, top = _number(item["amount"]), _number(item.get("to") or item["amount"])
    return {"name": item["name"], "price": _span(price, top), "currency": item["currency"], "per": item.get("per") or "", "note": item.get("note") or ""}
