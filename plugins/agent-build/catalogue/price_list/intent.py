"""When a question is about prices: "how much are 3 pears", "which is the cheapest", "and 5 plums?", "3个梨多少钱"."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Dict, List, Optional, Tuple

from runtime.currencies import amount_text, money_text
from runtime.figures import Figure, show
from runtime.order import ORDER_WORDS, Line, Order, find_lines, read_order
from runtime.question import Proposal, Question
from runtime.text import has_cjk
from tools.price_list import price_items, sold_by_measure

_ABOUT = re.compile(
    r"\b(?:how much|prices?|priced?|pricing|costs?|total|pay|expensive|cheap\w*|charge|quote|order|bill|fee|fees|rate|rates|buy|afford|worth|sum|come to|comes to|set me back|altogether|owe)\b|how mutch|"
    r"多少钱|价格|价钱|总价|一共|总共|贵|便宜|怎么卖|报价|单价|合计|几块|几元|多少元|什么价|收费|费用|要付|花费|加起来|多少一|一[个斤份杯只张]多少"
)
_CHEAPEST = re.compile(r"\b(?:cheapest|cheaper|least expensive|less expensive|lowest[- ]priced?|lowest price|costs? (?:the )?least|costs? less|best price)\b|最便宜|更便宜|便宜(?:些|点|一点)|哪个便宜|谁便宜|价格最低|最低价|最实惠")
_DEAREST = re.compile(r"\b(?:most expensive|dearest|priciest|pricier|more expensive|highest[- ]priced?|highest price|costs? (?:the )?most|costs? more)\b|最贵|更贵|比较贵|哪个贵|谁贵|价格最高|最高价")
_LIST = re.compile(
    r"\b(?:list all|all (?:the |your )?(?:prices|items|products|options)|price ?list|all items|which items|what items|what (?:do|can) (?:you|i|we) (?:sell|have|offer|serve|order|buy|get)|what(?:'s| is) (?:available|on (?:the|your) (?:menu|list))|what have you got|what all do you|"
    r"list (?:the |your )?prices|show (?:me )?(?:the |your |all )?(?:prices|menu|list|price)|menu|your prices|the prices|what are (?:the|your) prices|full list|everything you (?:sell|have)|what (?:products|drinks|dishes|services|courses|treatments|classes|options|kinds?|sorts?|types?)\b.{0,30}\b(?:are there|do you (?:have|offer|sell)|available|have you))\b|"
    r"所有价格|全部价格|价目表?|价格表|有(?:什么|哪些|啥)(?:(?:可以|能)?(?:卖|买|吃|喝|点|选)的?|商品|东西|服务|项目|产品|套餐|饮料|菜品?|票|课程?|种类|品种|口味)?[？?呢啊呀]*$|列出|都有什么|都卖什么|卖什么|菜单|都有啥|全部商品"
)
_HAVE = re.compile(r"\b(?:do you (?:have|sell|offer|do|serve|carry|stock)|have you got|is there|are there|can i (?:get|have|buy|order)|got any|sell any)\b|有没有|有.{1,10}[吗么]|卖.{1,10}吗|卖不卖")
_MANY = re.compile(r"\bhow many\b|(?:能|可以|够)[\u4e00-\u9fff]?(?:多少|几)|买得起几|买多少|买几")
_BUY = re.compile(r"\b(?:buy|afford|get|purchase|for|with)\b|买|够|能.[几多]|可以.[几多]")
_ENOUGH = re.compile(r"\b(?:enough|afford|suffice|within (?:a )?budget|too little)\b|够不够|够吗|够买|买得起|够了吗|够付")
_PAID = re.compile(r"\b(?:pay(?:ing)? with|paid|give you|hand(?:ed)? (?:over|you)|change|out of|back from|from a|left (?:over|from)|have left|i (?:only )?have|i've got|i got|with)\b|找(?:我|回|零|多少|您|给)|付(?:了|你)?|给(?:你|您|了)|剩|带了|我有|只有|手里")
_UNDER = re.compile(r"\b(?:under|below|less than|cheaper than|at most|up to|no more than|within|max(?:imum)?|not over|or less|for less than)\b|以下|以内|低于|不到|不超过|少于|小于|便宜于|之内|内的")
_OVER = re.compile(r"\b(?:over|above|more than|at least|from|starting at|or more|costs? more than|higher than)\b|以上|高于|超过|大于|多于|至少")
_BETWEEN = re.compile(r"\bbetween\b|\bfrom\b.*\bto\b|到|至|之间|[-–~]")
_DIFFERENCE = re.compile(r"\b(?:difference|compare|versus|vs|how much (?:more|less|cheaper)|cheaper|dearer)\b|相差|差多少|差价|差几|比较|贵多少|便宜多少|对比|比")
_DISCOUNT_WORD = re.compile(r"\b(?:discount|off|rebate|reduction|reduced|voucher|coupon|less)\b|折扣|优惠|减|便宜|折")
_ADDED_WORD = re.compile(r"\b(?:vat|tax|gst|tip|service charge|surcharge|sales tax|gratuity|plus|add(?:ed)?)\b|税|小费|服务费|加收")
_EVERYTHING = re.compile(r"\b(?:one of each|one of every(?:thing)?|each of (?:them|these)|everything|all of (?:them|it))\b|每样(?:一|各|来)|每种(?:一|各|来)|各来?一|全部(?:各|都)?(?:买|来|要)|全都要")
_OTHER_QUESTION = re.compile(r"^\W*(?:how (?:early|long|often|do|can|does|is|are|big|old|far|come)|when|where|who|why|what time|what(?:'s| is| are) (?:in|the difference)|does|is (?:it|the)|are (?:they|the)|can (?:i|you|we) (?!get|have|buy|order|pay)|do (?:i|we) |any (?:student|senior|member)?\s*discount)\b|什么时候|怎么(?!卖)|为什么|在哪|哪里|几点|含有?|有没有(?:糖|奶|坚果)|提前")
_STRICTLY = re.compile(r"\b(?:how much|prices?|costs?|cheap\w*|expensive|total|pay|enough|change|euros?|dollars?)\b|多少钱|价|一共|总共|贵|便宜|怎么卖|够|[$€£¥元]")
# A follow-up that adds to the order of before, and does not begin another one.
_ADDS = re.compile(r"^\W*(?:and\s+)?(?:with|plus|add|also|as well as|together with)\b|^\W*(?:and|plus)\b.*\b(?:as well|too|on top|in addition)\b|^(?:再加|加上|再来|再要|还要|另外加|外加|加)")
_FUNCTIONS = ("quote_items", "compare_prices", "find_prices", "how_many_for", "list_prices")


def propose(question: Question) -> Optional[Proposal]:
    """Find items of the price list with their quantities, or a comparison of prices."""
    items = price_items()
    if not items or len(question.text) > 600:
        return None
    order = read_order(question, items)
    strange = _strange(question, order)
    if strange:
        return strange
    about = bool(_ABOUT.search(question.lower))
    money = [figure for figure in question.figures if figure.kind == "number" and figure.currency]
    names = _named(order)
    for offer in (_ranking(question, order, names, items), _limits(question, order, names), _budget(question, order, money), _listing(question, order, about, items)):
        if offer:
            return offer
    previous = question.previous(*_FUNCTIONS)
    if _EVERYTHING.search(question.lower) and not order.lines:
        wanted = [{"name": item["name"]} for item in items]
        return Proposal("quote_items", {"items": wanted}, 0.8 if about or previous else 0.6, used=[figure for figure in question.figures if figure.soft])
    answered = _answered(question, question.pending("quote_items"))
    if answered:
        return answered
    if order.lines and not (len(order.lines) == 1 and len(order.lines[0].choices) > 1 and previous and _other_variant(question, previous.arguments, items)):
        return _quote(question, order, about, bool(previous), items)
    if previous and len(question.text) < 80:
        again = _changed(question, previous.arguments, items)
        if again:
            return again
    return _unknown(question, bool(previous), about)


def _answered(question: Question, asked: Any) -> Optional[Proposal]:
    """What the agent asked back: which variant ("the large one"), or how much in the right unit ("2 kg")."""
    if asked is None or len(question.text) > 60:
        return None
    wanted = [dict(item) for item in asked.arguments.get("items", [])]
    used: List[Figure] = []
    changed = False
    listed = {item["name"]: item for item in price_items()}
    for item in wanted:
        choices = [listed[name] for name in item.get("choices", []) if name in listed]
        if choices:
            base = choices[0].get("base") or ""
            lines = find_lines(question.text + " " + base, choices) if base else find_lines(question.text, choices)
            if len(lines) == 1 and len(lines[0].choices) == 1:
                item["name"], changed = lines[0].name, True
                del item["choices"]
    measures = question.measures
    if not changed and len(wanted) == 1 and len(measures) == 1 and wanted[0].get("name") in listed and "choices" not in wanted[0]:
        wanted[0].update(quantity=_plain(measures[0].value), unit=measures[0].symbol)
        used, changed = list(measures[0].figures), True
    if not changed or any("choices" in item for item in wanted):
        return None
    return Proposal("quote_items", dict(asked.arguments, items=wanted), 0.9, used=used)


_HARMLESS = frozenset("fresh nice good delicious normal regular plain simple single whole your our their these those the a an hot more extra another big full of one each per any some cheapest dearest best standard".split())
_BEFORE_NAME = re.compile(r"(?:^|\d+\s*|\b(?:an?|the|is|are|for|of|some|any|have|sell|offer|do|does|price|cost|costs|much)\s+)((?:[a-z-]{3,}\s+){1,2})$")
# Signs before which a Chinese name begins: measure words, verbs, particles.
_ZH_EDGE = "\\s，,。？?！!和跟与加、的个只斤份瓶盒杯条台本张件套箱袋包位碗盘间晚天次人支枝朵束根颗粒片块双对辆部把桶罐壶笼卷头棵栋层楼页名口期场局盏顶扇幅封篇首款种元克公里两要买来点给有卖订住做吃喝租问请几各每到去寄往在是从用拿换加配选看送打洗剪学上坐拍印修办开定按去进报约叫让带装换练考补借还取发收查算和熨烫染理按摩一二两三四五六七八九十半\\d"
_ZH_BEFORE = re.compile("(?:^|[%s]|你们|我们|请问|多少|一下|现在|今天|明天)((?:(?![%s])[\u4e00-\u9fff]){1,3})$" % (_ZH_EDGE, _ZH_EDGE))


def _strange(question: Question, order: Order) -> Optional[Proposal]:
    """A listed word with a strange one before it is another thing: "mountain bike" where there are city bikes, 总统套房 where there is 套房."""
    blank = list(question.lower)
    for span in [*question.figures, *question.measures]:
        blank[span.start : span.end] = "0" * (span.end - span.start)
    for line in order.lines:
        before = "".join(blank[: line.start])
        whole = len(line.choices) == 1 and (line.end - line.start >= len(line.name) or not has_cjk(line.name))
        if has_cjk(question.text[line.start : line.end]):
            match = _ZH_BEFORE.search(before)
            if match is None or match.group(1) in line.name or len(match.group(1)) < 2 and whole:
                continue
            name = match.group(1) + question.text[line.start : line.end]
        else:
            match = _BEFORE_NAME.search(before)
            joined = re.split(r"\b(?:and|or|plus|with)\b", match.group(1)) if match else [""]
            words = [word for word in joined[-1].split() if word not in _HARMLESS and word not in ORDER_WORDS]
            if not words or any(word in line.name.lower() or word.rstrip("s") in line.name.lower() for word in words):
                continue
            name = " ".join(words) + " " + question.text[line.start : line.end].lower()
        if len(order.lines) == 1 and not _CHEAPEST.search(question.lower) and not _DEAREST.search(question.lower):
            return Proposal("quote_items", {"items": [{"name": name}]}, 0.72, used=order.used)
    return None


def _named(order: Order) -> List[str]:
    """All items that the lines may mean, each once."""
    return list(dict.fromkeys(name for line in order.lines for name in line.choices))


def _ranking(question: Question, order: Order, names: List[str], items: List[Dict[str, Any]]) -> Optional[Proposal]:
    cheapest, dearest = _CHEAPEST.search(question.lower), _DEAREST.search(question.lower)
    if len(order.lines) == 2 and len(names) >= 2 and not order.counted and (cheapest or dearest or _DIFFERENCE.search(question.lower)):
        if all(len(line.choices) == 1 for line in order.lines):
            return Proposal("compare_prices", {"names": names, "order": "descending" if dearest and not cheapest else "ascending"}, 0.92, used=[])
    if len(order.lines) == 2 and order.counted and all(len(line.choices) == 1 for line in order.lines) and re.search(r"\bthan\b|\bor\b|\bvs\b|\bcompared\b|\bdifference\b|还是|比|差", question.lower) and (
            cheapest or dearest or _DIFFERENCE.search(question.lower)):
        return Proposal("quote_items", {"items": [_wanted(line) for line in order.lines], "compare": True}, 0.93, used=order.used)
    limited = _UNDER.search(question.lower) and [figure for figure in question.figures if figure.kind == "number" and not figure.soft]
    if not (cheapest or dearest) or order.counted or question.of_kind("percent", "off") or limited:
        return None
    among = names if len(names) > 1 else []
    if len(names) == 1 and re.search(r"\bthan\b|比", question.lower):
        return None
    return Proposal("compare_prices", {"names": among, "order": "ascending" if cheapest else "descending"}, 0.92, used=[])


def _limits(question: Question, order: Order, names: List[str]) -> Optional[Proposal]:
    """Items under, over or between sums of money."""
    figures = [figure for figure in question.figures if figure.kind == "number" and figure not in order.used and not figure.soft]
    under, over = _UNDER.search(question.lower), _OVER.search(question.lower)
    counts = _MANY.search(question.lower) and len(order.lines) == 1
    if counts or any(line.quantity is not None for line in order.lines) or len(order.lines) > 1 or not figures:
        return None
    if len(figures) == 2 and _BETWEEN.search(question.lower):
        low, high = sorted(figure.value for figure in figures)
        return Proposal("find_prices", {"names": names, "at_most": _plain(high), "at_least": _plain(low)}, 0.9, used=figures)
    which = re.search(r"\b(?:what|which|anything|something|items?|show|list|find|everything|any|all|do you have)\b|什么|哪些|哪个|有没有|有", question.lower)
    for_money = re.search(r"\b(?:what|anything|something)\b.*\b(?:for|with)\b", question.lower) or re.search(r"能?买(?:些|点)?(?:什么|啥)|能买到(?:什么|啥)", question.lower)
    if len(figures) != 1 or not which or not (under or over or for_money):
        return None
    value = _plain(figures[0].value)
    sure = 0.9 if figures[0].currency or names or _ABOUT.search(question.lower) or re.search(r"\b(?:anything|something|items?|products?)\b|什么|东西|商品", question.lower) else 0.56
    if under or (for_money and not over):
        return Proposal("find_prices", {"names": names, "at_most": value}, sure, used=figures)
    return Proposal("find_prices", {"names": names, "at_least": value}, sure, used=figures)


def _plain(value: Decimal) -> float:
    return int(value) if value == int(value) else float(value)


def _budget(question: Question, order: Order, money: List[Figure]) -> Optional[Proposal]:
    """"How many pears can I buy with 20 EUR?\""""
    if len(order.lines) != 1 or not _MANY.search(question.lower) or not _BUY.search(question.lower):
        return None
    line = order.lines[0]
    figures = money or [figure for figure in question.figures_outside(order.lines) if figure.kind == "number" and not figure.soft]
    if len(figures) != 1:
        return None
    if len(line.choices) > 1:
        return _which(order, question)
    discount = _discount(question)
    if discount:
        return None
    return Proposal("how_many_for", {"name": line.name, "budget": _plain(figures[0].value)}, 0.95, used=figures)


def _listing(question: Question, order: Order, about: bool, items: List[Dict[str, Any]]) -> Optional[Proposal]:
    if not _LIST.search(question.lower) or order.counted:
        return None
    names = _named(order)
    if order.lines and not (len(names) > 1 and len(order.lines) == 1):
        return None
    if names:
        return Proposal("list_prices", {"names": names}, 0.82, used=[])
    sells = re.search(r"\b(?:items?|sell|prices?|menu|offer|buy|order)\b|商品|卖|价|菜单", question.lower)
    return Proposal("list_prices", {}, 0.85 if about or sells else 0.62, used=[])


def _quote(question: Question, order: Order, about: bool, follows: bool, items: List[Dict[str, Any]]) -> Proposal:
    open_lines = [line for line in order.lines if len(line.choices) > 1]
    if open_lines and _OTHER_QUESTION.search(question.lower) and not _STRICTLY.search(question.lower):
        return Proposal("list_prices", {"names": open_lines[0].choices}, 0.5, used=order.used)
    other = _HAVE.search(question.lower) and _leftover(question, order)
    if open_lines and other:
        return Proposal("quote_items", {"items": [{"name": other}]}, 0.7, used=order.used)
    if open_lines:
        if len(order.lines) == 1 and order.lines[0].quantity is None and not question.of_kind("percent", "off"):
            sure = 0.9 if about or follows else 0.7 if len(question.text) < 30 or _HAVE.search(question.lower) else 0.55
            return Proposal("list_prices", {"names": order.lines[0].choices}, sure, used=order.used)
        return _which(order, question)
    arguments: Dict[str, Any] = {"items": [_wanted(line) for line in order.lines] + [{"name": name} for name in order.unknown]}
    used = list(order.used) + order.told
    by_measure = _without_unit(order)
    if by_measure:
        return by_measure
    discount = _discount(question)
    if discount:
        arguments["discount_percent"], used = _plain(discount[0]), used + discount[1]
    added = [figure for figure in question.of_kind("percent") if figure not in used and _ADDED_WORD.search(question.lower)]
    if added:
        arguments["added_percent"], used = _plain(added[0].value), used + added[:1]
    paid = [figure for figure in question.figures if figure.kind == "number" and figure not in used and not figure.soft and (figure.currency or _PAID.search(question.lower) or _ENOUGH.search(question.lower))
            and not any(figure.start < line.end and line.start < figure.end for line in order.lines)]
    paid = [figure for figure in paid if not any(figure.start < other.end and other.start < figure.end for other in used)]
    if len(paid) == 1 and (paid[0].currency or _PAID.search(question.lower) or _ENOUGH.search(question.lower)):
        arguments["paid"], used = _plain(paid[0].value), used + paid
    if re.search(r"[a-z]", question.lower) or has_cjk(question.text):
        arguments["conditions"] = _conditions(question)
        if not arguments["conditions"]:
            del arguments["conditions"]
    earlier = question.previous("quote_items")
    if earlier and _ADDS.search(question.lower) and not paid and not discount:
        names = {item.get("name") for item in arguments["items"]}
        arguments["items"] = [item for item in earlier.arguments.get("items", []) if item.get("name") not in names] + arguments["items"]
    counted = any(line.quantity not in (None, Decimal(1)) for line in order.lines) or len(order.lines) > 1
    if _OTHER_QUESTION.search(question.lower) and not _STRICTLY.search(question.lower):
        whole = all(question.text[line.start : line.end].lower().rstrip("s") in line.name.lower() and len(line.name) - (line.end - line.start) < 2 for line in order.lines)
        return Proposal("quote_items", arguments, 0.52 if whole else 0.4, used=used)  # about an item, but not about its price
    exact = all(line.end - line.start >= min(len(line.name), 3) for line in order.lines)
    sure = 0.95 if about or paid or discount else 0.9 if follows and (question.is_follow_up or counted or len(question.text) < 30) else 0.85 if _HAVE.search(question.lower) or _orders(question) else (
        0.78 if counted or len(question.text) < 18 else 0.55)
    return Proposal("quote_items", arguments, sure if exact else sure - 0.1, used=used)


def _leftover(question: Question, order: Order) -> str:
    """What a question names beside a word of the list: the carpets of "do you also clean carpets?"."""
    start = order.lines[0].end
    words = [word for word in re.findall(r"[a-z]{4,}", question.lower[start:]) if word not in ORDER_WORDS and word not in _HARMLESS]
    return question.lower[order.lines[0].start :].strip(" ?.!") if words else ""


def _without_unit(order: Order) -> Optional[Proposal]:
    """Ask back when something is counted that is sold by weight: "3 cheeses" at so much a kilo."""
    by_name = {item["name"]: item for item in price_items()}
    for line in order.lines:
        per = sold_by_measure(by_name[line.name])
        if per and line.quantity is not None and not line.unit and any(not figure.soft for figure in line.used):
            price = money_text(Decimal(by_name[line.name]["amount"]), by_name[line.name]["currency"])
            items = [_wanted(other) for other in order.lines]
            return Proposal("quote_items", {"items": items}, 0.9, ask={
                "en": "%s is priced per %s (%s). How many %s do you want?" % (line.name, by_name[line.name]["per"], price, per),
                "zh": "%s按%s计价（%s）。请告诉我要多少%s。" % (line.name, by_name[line.name]["per"], price, per)})
    return None


def _orders(question: Question) -> bool:
    """True for "2 lattes please", "I'd like a croissant", 来两杯拿铁."""
    return bool(re.search(r"\bplease\b|\bi(?:'d| would) like\b|\bi(?:'ll| will) (?:have|take)\b|\bi want\b|\bgive me\b|^来|我要|我想要|给我|点", question.lower))


def _conditions(question: Question) -> List[str]:
    """Words that a rule of the list may ask for: student, members, 学生."""
    from tools.price_list import price_rules

    targets = [rule.get("applies_to") or "" for rule in price_rules()]
    return [target for target in targets if target and (target.lower().rstrip("s") in question.lower)]


def _wanted(line: Line) -> Dict[str, Any]:
    wanted: Dict[str, Any] = {"name": line.name}
    if line.quantity is not None:
        wanted["quantity"] = _plain(line.quantity)
    if line.unit:
        wanted["unit"] = line.unit
    return wanted


def _which(order: Order, question: Question) -> Proposal:
    """Ask which of several items is meant, with their prices."""
    by_name = {item["name"]: item for item in price_items()}
    en, zh = [], []
    for line in order.lines:
        if len(line.choices) > 1:
            choices = [(name, money_text(Decimal(by_name[name]["amount"]), by_name[name]["currency"])) for name in line.choices]
            word = question.text[line.start : line.end]
            en.append("Which %s do you mean? %s." % (word, "; ".join("%s: %s" % choice for choice in choices)))
            zh.append("请问是哪一种%s？%s。" % (word, "；".join("%s：%s" % choice for choice in choices)))
    items = [dict(_wanted(line), **({"choices": line.choices} if len(line.choices) > 1 else {})) for line in order.lines]
    return Proposal("quote_items", {"items": items}, 0.9, ask={"en": "\n".join(en), "zh": "\n".join(zh)})


def _discount(question: Question) -> Optional[Tuple[Decimal, List[Figure]]]:
    for figure in question.of_kind("off", "percent"):
        if figure.kind == "off" or (_DISCOUNT_WORD.search(question.lower) and not _ADDED_WORD.search(question.lower)):
            return figure.value, [figure]
    return None


def _changed(question: Question, arguments: Dict[str, Any], items: List[Dict[str, Any]]) -> Optional[Proposal]:
    """"and 5 of them?", "with 10% off?", "and the large one?": the last quote with another quantity, discount or variant."""
    if question.is_follow_up or len(question.text) < 24:
        other = _other_variant(question, arguments, items)
        if other:
            return other
    if "items" not in arguments:
        return None
    discount = _discount(question)
    if discount:
        return Proposal("quote_items", dict(arguments, discount_percent=_plain(discount[0])), 0.85, used=discount[1])
    percent = question.of_kind("percent")
    if percent and _ADDED_WORD.search(question.lower):
        return Proposal("quote_items", dict(arguments, added_percent=_plain(percent[0].value)), 0.85, used=percent[:1])
    numbers = [figure for figure in question.figures if figure.kind == "number"]
    last = arguments["items"][-1] if arguments["items"] else None
    if len(numbers) == 1 and (numbers[0].currency or _PAID.search(question.lower)) and not re.search(r"\bpay for\b", question.lower):
        return Proposal("quote_items", dict(arguments, paid=_plain(numbers[0].value)), 0.85, used=numbers)
    blank = list(question.lower)
    for span in [*question.figures, *question.measures]:
        blank[span.start : span.end] = " " * (span.end - span.start)
    words = "".join(blank)
    only = re.fullmatch(
        r"(?:\W|and|what about|how about|what if|for|or|i|we|want|take|need|buy|make it|make that|if|of them|of those|of these|them|pieces|then|instead|please|just|only|ok|okay|it|is|one|two|three|four|five|six|seven|eight|nine|ten|a dozen|dozen|kg|g|lb|nights?|hours?|people|persons?|"
        r"那么?|如果是?|要是|换成|呢|要|买|来|个|只|斤|份|瓶|盒|杯|条|张|件|箱|袋|包|位|块|晚|天|小时|人|公斤|千克|克|多少钱|[零一二两三四五六七八九十百]|改成)+", words)
    if len(numbers) == 1 and last and len(arguments["items"]) == 1 and only:
        wanted = dict(last, quantity=_plain(numbers[0].value))
        measures = [measure for measure in question.measures if measure.kind in ("mass", "volume", "length") and question.text[measure.figures[0].end : measure.end].strip() not in ("杯", "块", "条")]
        if measures:
            wanted.update(quantity=_plain(measures[0].value), unit=measures[0].symbol)
        return Proposal("quote_items", dict(arguments, items=[wanted]), 0.82, used=numbers)
    return None


def _other_variant(question: Question, arguments: Dict[str, Any], items: List[Dict[str, Any]]) -> Optional[Proposal]:
    """那大杯呢?, "and the large one?": an item of before in another variant."""
    names = [entry.get("name") for entry in arguments.get("items", [])] or arguments.get("names") or []
    for place, name in reversed(list(enumerate(names))):
        base = next((item.get("base") for item in items if item["name"] == name), None)
        siblings = [item for item in items if item.get("base") == base] if base else []
        lines = find_lines(question.text + " " + str(base), siblings) if siblings else []
        if len(lines) == 1 and len(lines[0].choices) == 1:
            if "items" not in arguments:
                return Proposal("quote_items", {"items": [{"name": lines[0].name}]}, 0.88, used=[])
            changed = [dict(entry, name=lines[0].name) if index == place else entry for index, entry in enumerate(arguments["items"])]
            return Proposal("quote_items", dict(arguments, items=changed), 0.88, used=[])
    return None


_UNKNOWN = [
    re.compile(r"(?:how much (?:is|are|does|do|for|would|will|'s)|how mutch is|price (?:of|for)|cost of|costs? for|charge for|what (?:does|do|is|would)|do you (?:have|sell|offer|serve|do)|have you got|can i (?:get|have|buy|order))\s+(?:the (?:price|cost) of\s+)?"
               r"(?:a |an |the |one |your |any |some |my |\d+ )*([a-z][a-z' -]{1,40}?)(?:\s+(?:cost|costs|be|each|here|please|now|today|in total|set me back))*$"),
    re.compile(r"^(?:请问)?(?:你们|这里|店里)?(?:有没有|有|卖不卖|卖)?(?:一|两|\d+|[二三四五六七八九十])?[个只斤份瓶盒杯条台本张件套箱袋包位块碗盘]?([\u4e00-\u9fff]{1,8}?)(?:的)?(?:多少钱|价格|怎么卖|什么价|几块|卖吗|有吗|吗|有没有)"),
    re.compile(r"^(?:请问)?(?:你们|这里|店里)?(?:有没有|有|卖不卖|卖)([\u4e00-\u9fff]{1,8}?)(?:吗|么|呢)?$"),
]
_NO_NAME = re.compile(r"\b(?:it|that|this|them|all|total|they|these|those|everything|delivery|shipping|you|i|we|open|name|time|there)\b|这个|那个|一共|它|什么|哪些|营业|开门|多少")


def _unknown(question: Question, follows: bool, about: bool) -> Optional[Proposal]:
    """The name in a price question that matches no item, so that the answer can say it is not on the list."""
    text = question.lower.strip().rstrip("?？.。! ")
    for pattern in _UNKNOWN:
        match = pattern.search(text)
        if match and not _NO_NAME.search(match.group(1)) and len(match.group(1).split()) <= 3 and (about or _HAVE.search(question.lower) or follows):
            sure = 0.7 if about and re.search(r"how much (?:is|are|for|does|do)|price (?:of|for)|多少钱|怎么卖|什么价|价格", text) else 0.52
            return Proposal("quote_items", {"items": [{"name": match.group(1).strip()}]}, sure)
    short = re.fullmatch(r"(?:(?:an?|the|one|some)\s+)?([a-z]{3,}(?: [a-z]{3,})?)", text)
    if short and question.text.rstrip().endswith(("?", "？")) and not _NO_NAME.search(text) and not re.search(r"\b(?:why|how|what|when|where|who|really|sure|help|yes|no|ok)\b", text):
        return Proposal("quote_items", {"items": [{"name": short.group(1)}]}, 0.5)
    if follows:
        match = re.search(r"^(?:and|what about|how about)\s+(?:\d+\s+)?(?:an? |the )?([a-z]{3,20})$", text) or re.search("^那?([\u4e00-\u9fff]{2,6})呢$", text)
        if match and not _NO_NAME.search(match.group(1)):
            return Proposal("quote_items", {"items": [{"name": match.group(1)}]}, 0.55)
    return None


def _per(item: Dict[str, str], language: str) -> str:
    return (" / " if language == "zh" else " per ") + item["per"] if item["per"] else ""


def _money(amount: str, currency: str) -> str:
    if currency and (currency in "$€£¥￥₹₩" or currency.endswith("$")):
        return "-" + currency + amount[1:] if amount.startswith("-") else currency + amount
    return "%s %s" % (amount, currency) if currency else amount


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
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
    """Which of two orders costs less, and by how much."""
    one, other = sorted(result["lines"], key=lambda line: Decimal(line["subtotal"]))
    gap = Decimal(other["subtotal"]) - Decimal(one["subtotal"])
    if not gap:
        return "两者价格相同。" if zh else "Both cost the same."
    amount = _money(amount_text(gap), one["currency"])
    return "%s更便宜，便宜 %s。" % (one["name"], amount) if zh else "%s is cheaper, by %s." % (one["name"], amount)


def _rule_text(rule: Dict[str, str], zh: bool) -> str:
    """A rule in the asker's language, from its parts: "10% off from 5 pieces", 满200减30."""
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
    if result.get("compare"):
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
