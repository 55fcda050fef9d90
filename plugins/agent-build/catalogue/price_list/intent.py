"""When a question is about prices: "how much are 3 pears", "which is the cheapest", "and 5 plums?", "3个梨多少钱"."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from runtime.matching import Mention, find_mentions
from runtime.question import Proposal, Question
from runtime.text import has_cjk
from runtime.units import find_unit
from tools.price_list import item_names

_PRICE_WORDS = (
    "how much", "price", "prices", "cost", "costs", "total", "pay", "expensive", "cheap", "charge", "quote", "order", "buy", "bill",
    "多少钱", "价格", "价钱", "总价", "一共", "总共", "贵", "便宜", "怎么卖", "报价", "单价", "买", "合计",
)
_CHEAPEST = ("cheapest", "cheaper", "least expensive", "lowest price", "less expensive", "最便宜", "更便宜", "比较便宜", "哪个便宜", "价格最低")
_DEAREST = ("most expensive", "dearest", "priciest", "more expensive", "highest price", "costs the most", "最贵", "更贵", "比较贵", "哪个贵", "价格最高")
_LIST = ("list all", "all prices", "price list", "all items", "which items", "what items", "what do you sell", "what do you have", "list prices",
         "list the prices", "show prices", "menu", "所有价格", "全部价格", "价目表", "价格表", "有哪些商品", "列出", "都有什么", "卖什么", "菜单")
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_MEASURE_WORDS = "个只斤份瓶盒杯条台本张件套箱袋包位块"
_BUDGET = re.compile(r"(?:with|for|have|got|用|有|花)\s*(?:about |only |[$€£¥])?\s*(\d+(?:\.\d+)?)(?!\s*%)", re.IGNORECASE)
_DISCOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s*(?:off|discount|的?折扣)|discount of (\d+(?:\.\d+)?)|打\s*(\d+(?:\.\d+)?)\s*折", re.IGNORECASE)


def propose(question: Question) -> Optional[Proposal]:
    """Find items of the price list with their quantities, or a comparison of prices."""
    names = item_names()
    if not names or len(question.text) > 600:
        return None
    mentions = find_mentions(question.plain, names)
    about_prices = question.has(*_PRICE_WORDS)
    mentioned = list(dict.fromkeys(mention.name for mention in mentions))
    if question.has(*_CHEAPEST, *_DEAREST):
        order = "ascending" if question.has(*_CHEAPEST) else "descending"
        return Proposal("compare_prices", {"names": mentioned if len(mentioned) > 1 else [], "order": order}, 0.9)
    if mentions and question.has("how many", "能买", "可以买", "买几", "买多少") and question.has("buy", "afford", "get", "买"):
        budget = _BUDGET.search(_DISCOUNT.sub("", question.plain))
        if budget:
            return Proposal("how_many_for", {"name": mentions[0].name, "budget": float(budget.group(1))}, 0.95)
    if len(mentioned) == 2 and question.has("difference", "compare", "versus", "vs", "相差", "差多少", "比较"):
        return Proposal("compare_prices", {"names": mentioned, "order": "ascending"}, 0.9)
    if not mentions and question.has(*_LIST):
        return Proposal("list_prices", {}, 0.85 if about_prices or question.has("items", "sell", "商品", "卖") else 0.7)
    previous = question.previous("quote_items", "compare_prices", "how_many_for", "list_prices")
    if mentions:
        items, unknown = _quantities(question.plain, mentions)
        discount = _discount(question.plain)
        arguments: Dict[str, Any] = {"items": items + unknown}
        if discount:
            arguments["discount_percent"] = discount
        counted = any(item.get("quantity", 1) != 1 for item in items) or len(items) > 1
        if about_prices:
            return Proposal("quote_items", arguments, 0.95)
        if previous and (question.is_follow_up or counted or len(question.text) < 25):
            return Proposal("quote_items", arguments, 0.9)
        return Proposal("quote_items", arguments, 0.75 if counted or len(question.text) < 15 else 0.55)
    if previous and previous.function == "quote_items" and len(question.text) < 60:
        again = _changed(question, previous.arguments)
        if again:
            return again
    unknown_name = _unknown(question, bool(previous))
    if unknown_name:
        return Proposal("quote_items", {"items": [{"name": unknown_name, "quantity": 1}]}, 0.52)
    return None


def _quantities(text: str, mentions: List[Mention]) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Give every mentioned item the number beside it; list counted things that are not on the price list."""
    items: List[Dict[str, Any]] = []
    unknown: List[Dict[str, Any]] = []
    end = 0
    text = _DISCOUNT.sub(lambda match: " " * len(match.group(0)), text)
    for index, mention in enumerate(mentions):
        before = text[end : mention.start]
        following = text[mention.end : mentions[index + 1].start if index + 1 < len(mentions) else len(text)]
        item: Dict[str, Any] = {"name": mention.name, "quantity": 1.0}
        taken = 0
        ahead = re.search(_NUMBER + r"\s*([^\W\d]*\s*(?:of\s+(?:the\s+|your\s+)?)?|[^\W\d]+\s+)$", before, re.IGNORECASE)
        behind = re.match(r"\s*(?:x|×|\*|:|要|来|买)?\s*" + _NUMBER + r"\s*([%s]|公斤|千克|克|kg|g|lb)?" % _MEASURE_WORDS, following, re.IGNORECASE)
        if ahead and not (items and behind and has_cjk(mention.name)):
            item["quantity"] = float(ahead.group(1).replace(",", "."))
            _set_unit(item, ahead.group(2))
            unknown.extend(_counted(before[: ahead.start()]))
        elif behind:
            item["quantity"] = float(behind.group(1).replace(",", "."))
            _set_unit(item, behind.group(2) or "")
            taken = behind.end()
        elif re.search(r"\b(?:half a|half)\b[^,;]*$|半[%s]?$" % _MEASURE_WORDS, before, re.IGNORECASE):
            item["quantity"] = 0.5
        if item["quantity"] == int(item["quantity"]):
            item["quantity"] = int(item["quantity"])
        items.append(item)
        end = mention.end + taken
    unknown.extend(_counted(text[end:]))
    return items, unknown


def _set_unit(item: Dict[str, Any], words: str) -> None:
    unit = re.sub(r"\bof\b.*", "", words).strip()
    found = find_unit(unit) if unit else None
    if found and found[0] in ("mass", "volume", "length", "area", "time") and unit not in _MEASURE_WORDS.replace("斤", ""):
        item["unit"] = unit


def _counted(text: str) -> List[Dict[str, Any]]:
    """"3 mangos" in the text between known items: counted, but not on the list."""
    found = []
    for number, name in re.findall(r"(?<![A-Za-z0-9_.])(\d+(?:\.\d+)?)\s*[%s]?\s*([a-zA-Z]{3,}|[\u4e00-\u9fff]{1,4})" % _MEASURE_WORDS, text):
        name = re.split(r"[和跟与还多一共]", name)[0]
        if name and not find_unit(name) and name.lower() not in ("and", "with", "percent", "off", "eur", "usd", "euro", "euros", "dollar", "dollars"):
            found.append({"name": name, "quantity": float(number)})
    return found


def _discount(text: str) -> float:
    match = _DISCOUNT.search(text)
    if not match:
        return 0.0
    if match.group(3):  # 打9折 and 打85折: what is left, not what is taken off
        share = float(match.group(3))
        return round(100 - (share * 10 if share < 10 else share), 2)
    return float(match.group(1) or match.group(2))


def _changed(question: Question, arguments: Dict[str, Any]) -> Optional[Proposal]:
    """"and 5 of them?", "with 10% off?": the last quote with another quantity or a discount."""
    discount = _discount(question.plain)
    if discount:
        return Proposal("quote_items", dict(arguments, discount_percent=discount), 0.85)
    numbers = question.numbers()
    only_a_count = re.fullmatch(r"(?:and|what about|how about|for|or|那么?|如果是|of them|those|them|pieces|[%s呢要\s\d.?？,])+" % _MEASURE_WORDS, question.plain.lower())
    if len(numbers) == 1 and len(arguments["items"]) == 1 and only_a_count:
        return Proposal("quote_items", dict(arguments, items=[dict(arguments["items"][0], quantity=numbers[0])]), 0.8)
    return None


def _unknown(question: Question, follows: bool) -> Optional[str]:
    """The name in a price question that matches no item, so that the answer can say it is not on the list."""
    text = question.text.strip().rstrip("?？.。! ")
    match = re.search(
        r"(?:how much (?:is|are|does|do|for)|price (?:of|for)|cost of|costs? for)\s+(?:\d+\s+)?(?:an? |the |one |your )?([A-Za-z][A-Za-z ]{1,30}?)(?: cost)?$",
        text, re.IGNORECASE,
    ) or re.search(r"^(?:请问)?(?:一|\d+)?[%s]?([\u4e00-\u9fff]{1,6}?)(?:的)?(?:多少钱|价格|怎么卖)" % _MEASURE_WORDS, text)
    if match is None and follows:
        match = re.search(r"^(?:and|what about|how about)\s+(?:\d+\s+)?(?:an? |the )?([A-Za-z]{3,20})$", text, re.IGNORECASE)
    if match is None or find_unit(match.group(1)):
        return None
    return None if re.search(r"\b(it|that|this|them|all|total)\b", match.group(1)) else match.group(1).strip()


def _money(amount: str, currency: str) -> str:
    return "%s %s" % (amount, currency) if currency else amount


def _per(item: Dict[str, str], language: str) -> str:
    return (" / " if language == "zh" else " per ") + item["per"] if item["per"] else ""


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Show how the total comes about, or the ranking."""
    zh = language == "zh"
    if function == "quote_items":
        return _say_quote(result, zh)
    if function == "how_many_for":
        price, left = _money(result["price"], result["currency"]), _money(result["left"], result["currency"])
        budget = _money(result["budget"], result["currency"])
        if zh:
            return "%s 可以买 %d 份%s（单价 %s），还剩 %s。" % (budget, result["count"], result["name"], price, left)
        return "%s buys %d × %s at %s each; %s is left." % (budget, result["count"], result["name"], price, left)
    rows = ["- %s: %s%s" % (item["name"], _money(item["price"], item["currency"]), _per(item, language)) for item in result["items"]]
    if function == "list_prices":
        head = "共 %d 项：" % result["count"] if zh else "%d items:" % result["count"]
        return "\n".join([head] + rows)
    first = result["items"][0]
    tied = [item["name"] for item in result["items"] if (item["price"], item["currency"]) == (first["price"], first["currency"])]
    word = {(True, True): "最便宜的是", (True, False): "最贵的是", (False, True): "Cheapest", (False, False): "Most expensive"}[
        (zh, result["order"] == "ascending")]
    head = "%s%s %s，%s。" if zh else "%s: %s %s at %s."
    head = head % (word, "", ("、" if zh else " and ").join(tied), _money(first["price"], first["currency"]) + _per(first, language))
    head = head.replace(":  ", ": ")
    if result["difference"] not in (None, "0"):
        head += (" 相差 %s。" if zh else " The difference is %s.") % _money(result["difference"], first["currency"])
    if len({item["currency"] for item in result["items"]}) > 1:
        head += "（币种不同，只比较了数字。）" if zh else " (Currencies differ; only the figures were compared.)"
    return "\n".join([head] + rows[:10])


def _say_quote(result: Dict[str, Any], zh: bool) -> str:
    lines = []
    for line in result["lines"]:
        price = _money(line["price"], line["currency"]) + (" / %s" % line["unit"] if line["unit"] else "")
        if line["quantity"] == "1":
            lines.append("%s: %s" % (line["name"], price))
        else:
            unit = " " + line["unit"] if line["unit"] else ""
            lines.append("%s%s × %s (%s) = %s" % (line["quantity"], unit, line["name"], price, _money(line["subtotal"], line["currency"])))
    total = " + ".join(_money(amount, currency) for currency, amount in result["totals"].items())
    text = "\n".join(lines)
    if len(lines) > 1 or result["discount_percent"]:
        off = ""
        if result["discount_percent"]:
            off = ("（已减 %g%%）" if zh else " (with %g%% off)") % result["discount_percent"]
        text += "\n%s%s%s" % ("合计：" if zh else "Total: ", total, off)
    if result["unknown"]:
        text += "\n" + ("价目表里没有：" if zh else "Not on the price list: ") + ("、" if zh else ", ").join(result["unknown"])
    return text
