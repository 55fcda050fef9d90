"""What is said about prices: quotes, rankings, lists."""
from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List

from runtime.currencies import amount_text
from runtime.text import has_cjk
from runtime.writing import show

def _per(item: Dict[str, str], language: str) -> str:
    return (" / " if language == "zh" else " per ") + item["per"] if item["per"] else ""


def _money(amount: str, currency: str) -> str:
    if currency and (currency in "$€£¥￥₹₩" or currency.endswith("$")):
        return "-" + currency + amount[1:] if amount.startswith("-") else currency + amount
    return "%s %s" % (amount, currency) if currency else amount


def say_prices(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Show how the total comes about, or the ranking."""
    zh = language == "zh"
    if function == "quote_items":
        return _say_quote(result, zh)
    if function == "how_many_for":
        price, left = _money(result["price"], result["currency"]), _money(result["left"], result["currency"])
        budget = _money(result["budget"], result["currency"])
        per = result.get("per") or ""
        if zh:
            return "%s 可以买 %d %s%s（单价 %s），还剩 %s。" % (budget, result["count"], per if has_cjk(per) else "份", result["name"], price, left)
        return "%s buys %d × %s at %s each; %s is left." % (budget, result["count"], result["name"], price, left)
    rows = ["- %s: %s%s%s" % (item["name"], _money(item["price"], item["currency"]), _per(item, language), _note(item)) for item in result["items"]]
    if function == "find_prices":
        if not rows:
            return "没有符合这个价格的商品。" if zh else "Nothing on the list is within that price."
        return "\n".join([("符合的有 %d 项：" if zh else "%d within that price:") % result["count"]] + rows)
    if function == "list_prices":
        if len(rows) == 1:
            return rows[0][2:]
        head = "共 %d 项：" % result["count"] if zh else "%d items:" % result["count"]
        return "\n".join([head] + rows)
    return _say_ranking(result, rows, zh, language)


def _note(item: Dict[str, str]) -> str:
    return " (%s)" % item["note"] if item.get("note") else ""


def _say_ranking(result: Dict[str, Any], rows: List[str], zh: bool, language: str) -> str:
    first = result["items"][0]
    tied = [item["name"] for item in result["items"] if (item["price"], item["currency"]) == (first["price"], first["currency"])]
    word = {(True, True): "最便宜的是", (True, False): "最贵的是", (False, True): "Cheapest", (False, False): "Most expensive"}[
        (zh, result["order"] == "ascending")]
    price = _money(first["price"], first["currency"]) + _per(first, language)
    head = "%s%s，%s。" % (word, "、".join(tied), price) if zh else "%s: %s at %s." % (word, " and ".join(tied), price)
    if len(result["items"]) == 2 and len(tied) == 2:
        head = "两者价格相同：%s。" % price if zh else "Both cost the same: %s." % price
    elif result["difference"] not in (None, "0"):
        head += (" 相差 %s。" if zh else " The difference is %s.") % _money(result["difference"], first["currency"])
    if len({item["currency"] for item in result["items"]}) > 1:
        head += "（币种不同，只比较了数字。）" if zh else " (Currencies differ; only the figures were compared.)"
    elif len({item["per"] for item in result["items"]}) > 1:
        head += "（计价单位不同，只比较了数字。）" if zh else " (They are priced by different units; only the figures were compared.)"
    return "\n".join([head] + rows[:10])


def _difference(result: Dict[str, Any], zh: bool) -> str:
    """Whether one item costs less than the others together, and by how much."""
    name, currency = result["against"], result["currency"]
    one = sum((Decimal(line["subtotal"]) for line in result["lines"] if line["name"] == name), Decimal(0))
    others = [line for line in result["lines"] if line["name"] != name]
    rest = sum((Decimal(line["subtotal"]) for line in others), Decimal(0))
    together = ("、" if zh else " and ").join(line["name"] for line in others)
    if one == rest:
        return "两者价格相同。" if zh else "Both cost the same."
    cheaper, gap = (name, rest - one) if one < rest else (together, one - rest)
    amount = _money(amount_text(gap), currency)
    text = ""
    if len(others) > 1:
        text = "%s合计 %s。" % (together, _money(amount_text(rest), currency)) if zh else "%s come to %s. " % (together, _money(amount_text(rest), currency))
    return text + ("%s更便宜，便宜 %s。" % (cheaper, amount) if zh else "%s is cheaper, by %s." % (cheaper, amount) if len(others) < 2 or one < rest else "Together they are cheaper, by %s." % amount)


def _rule_text(rule: Dict[str, str], zh: bool) -> str:
    """A rule in the asker's language, from its parts: "10% off from 5 pieces", 满200减30."""
    if rule.get("bundle"):
        return rule["bundle"]
    if rule.get("amount_off"):
        return ("满 %s 减 %s" if zh else "from %s on %s off") % (rule["from_total"], rule["amount_off"])
    parts = [("减 %s%%" if zh else "%s%% off") % rule["percent_off"]]
    if rule["from_quantity"]:
        parts.append(("满 %s 件" if zh else "from %s pieces") % rule["from_quantity"])
    if rule["from_total"]:
        parts.append(("满 %s" if zh else "from %s on") % rule["from_total"])
    if rule["applies_to"] and (has_cjk(rule["applies_to"]) == zh):
        parts.append(rule["applies_to"] if zh else "for " + rule["applies_to"])
    return "".join(reversed(parts)) if zh else " ".join(parts)


def _say_quote(result: Dict[str, Any], zh: bool) -> str:
    lines = []
    for line in result["lines"]:
        price = _money(line["price"], line["currency"]) + (" / %s" % line["unit"] if line["unit"] else "")
        if line["quantity"] == "1":
            lines.append("%s: %s%s" % (line["name"], price, _note(line)))
        else:
            unit = " " + line["unit"] if line["unit"] and not line["unit"][0].isdigit() else ""
            lines.append("%s%s × %s (%s) = %s" % (line["quantity"], unit, line["name"], price, _money(line["subtotal"], line["currency"])))
    if result.get("against"):
        return "\n".join(lines) + "\n" + _difference(result, zh)
    total = " + ".join(_money(amount, currency) for currency, amount in result["totals"].items())
    before = " + ".join(_money(amount, currency) for currency, amount in result.get("before", {}).items())
    text = "\n".join(lines)
    changes = []
    if result["discount_percent"]:
        changes.append(("已减 %s%%" if zh else "with %s%% off") % show(result["discount_percent"]))
    if result.get("added_percent"):
        changes.append(("另加 %s%%" if zh else "plus %s%%") % show(result["added_percent"]))
    changes += [_rule_text(rule, zh) for rule in result.get("rules") or []]
    if len(lines) > 1 or changes:
        without = ""
        if result["unknown"]:
            without = "（不含%s）" % "、".join(result["unknown"]) if zh else " without %s" % ", ".join(result["unknown"])
        if changes:
            text += "\n" + (("原价合计 %s，%s：%s" if zh else "%s; %s: %s") % (before, "，".join(changes) if zh else ", ".join(changes), total))
        else:
            text += "\n%s%s" % ("合计%s：" % without if zh else "Total%s: " % without, total)
        if changes and without:
            text += without
    if result.get("change") is not None:
        change = Decimal(result["change"])
        amount = _money(amount_text(abs(change)), result["currency"])
        paid = _money(result["paid"], result["currency"])
        if change >= 0:
            text += ("\n付 %s 够，找零 %s。" if zh else "\n%s is enough; the change is %s.") % (paid, amount)
        else:
            text += ("\n%s 不够，还差 %s。" if zh else "\n%s is not enough; %s is missing.") % (paid, amount)
    if result["unknown"]:
        text += "\n" + ("价目表里没有：" if zh else "Not on the price list: ") + ("、" if zh else ", ").join(result["unknown"])
    return text
