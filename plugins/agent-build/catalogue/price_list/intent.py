"""When a question is about prices: "how much are 3 pears", "which is the cheapest", "and 5 plums?", "3个梨多少钱"."""
from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Dict, List, Optional, Tuple

from runtime import price_words as words
from runtime.currencies import money_text
from runtime.figures import Figure
from runtime.order import Order, read_order
from runtime.order_lines import Line, find_lines
from runtime.order_words import CLASSIFIERS, ORDER_WORDS
from runtime.price_text import say_prices
from runtime.question import Proposal, Question
from runtime.strangers import HARMLESS, stranger
from runtime.synonyms import GENERIC, concepts
from runtime.text import has_cjk, stem
from tools.price_list import price_items, sold_by_measure, surcharges

_FUNCTIONS = ("quote_items", "compare_prices", "find_prices", "how_many_for", "list_prices")


def propose(question: Question) -> Optional[Proposal]:
    """Find items of the price list with their quantities, or a comparison of prices."""
    counted = _counted_within(question)
    offer = _propose(counted) if counted is not None else None
    if counted is None or offer is None:
        return _propose(question)
    if offer.used is not None and len(counted.figures) == len(question.figures):
        offer.used = [question.figures[at] for at, figure in enumerate(counted.figures) if any(figure.start < used.end and used.start < figure.end for used in offer.used)]
    return offer


_ZH_COUNT = "(?:\\d+|[一二两三四五六七八九十]{1,3})[%s]" % "".join(sorted(CLASSIFIERS | set("颗节")))


_TWO_AND_ONE = re.compile("([一二两三四五六七八九]|\\d+)大([一二两三四五六七八九]|\\d+)小")
_DAY_KINDS = [(re.compile(r"\b(?:on (?:an? )?)?(?:saturdays?|sundays?)\b|(?:周|星期|礼拜)[六日天]"), ("weekends", "weekend", "周末")),
              (re.compile(r"\b(?:on (?:an? )?)?(?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?)\b|(?:周|星期|礼拜)[一二三四五]"), ("weekdays", "weekday", "平日", "工作日"))]


def _counted_within(question: Question) -> Optional[Question]:
    """The question in the list's words: 补3颗牙 as 3颗补牙, 两大一小 as adults and children, "on a Saturday" as the weekend's price."""
    if len(question.text) > 80:
        return None
    names = [item["name"] for item in price_items()]
    for pattern, words_of in _DAY_KINDS:
        told = next((word for word in words_of if any(word in name.lower() for name in names)), None)
        if told and pattern.search(question.lower) and not any(word in question.lower for word in words_of):
            return Question(pattern.sub(told, question.lower, count=1), question.calls, question.recent_text)
    if not has_cjk(question.text):
        return None
    pair = _TWO_AND_ONE.search(question.text)
    adults, children = ([name for name in names if word in name] for word in ("成人", "儿童"))
    if pair and len(adults) == len(children) == 1:
        text = question.text[: pair.start()] + "%s个%s%s个%s" % (pair.group(1), adults[0], pair.group(2), children[0]) + question.text[pair.end() :]
        return Question(text, question.calls, question.recent_text)
    for name in names:
        if not 2 <= len(name) <= 6 or name in question.text or not all("\u4e00" <= char <= "\u9fff" for char in name):
            continue
        own = re.search("%s(\\d+|[一二两三四五六七八九十]{1,3})%s" % (re.escape(name[:-1]), re.escape(name[-1])), question.text)
        if own:  # 普洱3饼 are three of 普洱饼
            text = question.text[: own.start()] + own.group(1) + name + question.text[own.end() :]
            return Question(text, question.calls, question.recent_text)
        for cut in range(1, len(name)):
            match = re.search("%s(%s)%s" % (re.escape(name[:cut]), _ZH_COUNT, re.escape(name[cut:])), question.text)
            if match:
                text = question.text[: match.start()] + match.group(1) + name + question.text[match.end() :]
                return Question(text, question.calls, question.recent_text)
    return None


def _propose(question: Question) -> Optional[Proposal]:
    items = price_items()
    if not items or len(question.text) > 600:
        return None
    order = read_order(question, items)
    strange = _strange(question, order)
    if strange and not (words.OTHER_QUESTION.search(question.lower) and not words.STRICTLY.search(question.lower)):
        return strange
    about = bool(words.ABOUT.search(question.lower))
    money = [figure for figure in question.figures if figure.kind == "number" and figure.currency]
    names = _named(order)
    for offer in (_ranking(question, order, names, items), _limits(question, order, names), _budget(question, order, money), _listing(question, order, about, items)):
        if offer:
            return offer
    previous = question.previous(*_FUNCTIONS)
    if words.EVERYTHING.search(question.lower) and not order.lines:
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
    return _meant(question, items, about) or _unknown(question, bool(previous), about)


def _meant(question: Question, items: List[Dict[str, Any]], about: bool) -> Optional[Proposal]:
    """An item in other words: "can we leave later? what does it cost" is the late checkout, when all that its name means is said."""
    if not about or question.figures:
        return None
    said = concepts(question.text) - GENERIC
    meant = [item["name"] for item in items for own in [concepts(item["name"])] if len(own) > 1 and own <= said]
    return Proposal("quote_items", {"items": [{"name": meant[0]}]}, 0.7, used=[]) if len(meant) == 1 else None


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


def _strange(question: Question, order: Order) -> Optional[Proposal]:
    """A listed word with a strange one before it is another thing: "mountain bike" where there are city bikes."""
    if len(order.lines) != 1 or words.CHEAPEST.search(question.lower) or words.DEAREST.search(question.lower):
        return None
    line = order.lines[0]
    name = stranger(question, line.start, line.end, line.name, len(line.choices) == 1)
    return Proposal("quote_items", {"items": [{"name": name}]}, 0.72, used=order.used) if name else None


def _named(order: Order) -> List[str]:
    """All items that the lines may mean, each once."""
    return list(dict.fromkeys(name for line in order.lines for name in line.choices))


def _ranking(question: Question, order: Order, names: List[str], items: List[Dict[str, Any]]) -> Optional[Proposal]:
    cheapest, dearest = words.CHEAPEST.search(question.lower), words.DEAREST.search(question.lower)
    if len(order.lines) == 2 and len(names) >= 2 and not order.counted and (cheapest or dearest or words.DIFFERENCE.search(question.lower)):
        if all(len(line.choices) == 1 for line in order.lines):
            return Proposal("compare_prices", {"names": names, "order": "descending" if dearest and not cheapest else "ascending"}, 0.92, used=[])
    if len(order.lines) == 2 and order.counted and all(len(line.choices) == 1 for line in order.lines) and re.search(r"\bthan\b|\bor\b|\bvs\b|\bcompared\b|\bdifference\b|还是|比|差", question.lower) and (
            cheapest or dearest or words.DIFFERENCE.search(question.lower)):
        return Proposal("quote_items", {"items": [_wanted(line) for line in order.lines], "against": order.lines[0].name}, 0.93, used=order.used)
    alone = [line for line in order.lines if line.quantity is None]
    if len(order.lines) > 2 and len(alone) == 1 and order.counted and all(len(line.choices) == 1 for line in order.lines) and (cheapest or dearest or words.DIFFERENCE.search(question.lower)):
        return Proposal("quote_items", {"items": [_wanted(line) for line in order.lines], "against": alone[0].name}, 0.93, used=order.used)
    limited = words.UNDER.search(question.lower) and [figure for figure in question.figures if figure.kind == "number" and not figure.soft]
    if not (cheapest or dearest) or order.counted or question.of_kind("percent", "off") or limited:
        return None
    among = names if len(names) > 1 else []
    if len(names) == 1 and re.search(r"\bthan\b|比", question.lower):
        return None
    return Proposal("compare_prices", {"names": among, "order": "ascending" if cheapest else "descending"}, 0.92, used=[])


def _limits(question: Question, order: Order, names: List[str]) -> Optional[Proposal]:
    """Items under, over or between sums of money."""
    figures = [figure for figure in question.figures if figure.kind == "number" and figure not in order.used and not figure.soft]
    under, over = words.UNDER.search(question.lower), words.OVER.search(question.lower)
    counts = words.MANY.search(question.lower) and len(order.lines) == 1
    if counts or any(line.quantity is not None for line in order.lines) or len(order.lines) > 1 or not figures:
        return None
    if len(figures) == 2 and words.BETWEEN.search(question.lower):
        low, high = sorted(figure.value for figure in figures)
        return Proposal("find_prices", {"names": names, "at_most": _plain(high), "at_least": _plain(low)}, 0.9, used=figures)
    which = re.search(r"\b(?:what|which|anything|something|cheapest|items?|show|list|find|everything|any|all|do you have)\b|什么|哪些|哪个|有没有|有|(?:以下|以内|之内|以上)的", question.lower)
    for_money = re.search(r"\b(?:what|anything|something)\b.*\b(?:for|with)\b", question.lower) or re.search(r"能?买(?:些|点)?(?:什么|啥)|能买到(?:什么|啥)", question.lower)
    if len(figures) != 1 or not which or not (under or over or for_money):
        return None
    value = _plain(figures[0].value)
    sure = 0.9 if figures[0].currency or names or words.ABOUT.search(question.lower) or re.search(r"\b(?:anything|something|items?|products?)\b|什么|东西|商品", question.lower) else 0.56
    if under or (for_money and not over):
        return Proposal("find_prices", {"names": names, "at_most": value}, sure, used=figures)
    return Proposal("find_prices", {"names": names, "at_least": value}, sure, used=figures)


def _plain(value: Decimal) -> float:
    return int(value) if value == int(value) else float(value)


def _budget(question: Question, order: Order, money: List[Figure]) -> Optional[Proposal]:
    """"How many pears can I buy with 20 EUR?\""""
    if len(order.lines) != 1 or not words.MANY.search(question.lower) or not words.BUY.search(question.lower):
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
    if not words.LIST.search(question.lower) or order.counted:
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
    if open_lines and words.OTHER_QUESTION.search(question.lower) and not words.STRICTLY.search(question.lower):
        return Proposal("list_prices", {"names": open_lines[0].choices}, 0.5, used=order.used)
    other = words.HAVE.search(question.lower) and _leftover(question, order)
    if open_lines and other:
        return Proposal("quote_items", {"items": [{"name": other}]}, 0.7, used=order.used)
    if open_lines:
        if len(order.lines) == 1 and order.lines[0].quantity is None and not question.of_kind("percent", "off"):
            sure = 0.9 if about or follows else 0.7 if len(question.text) < 30 or words.HAVE.search(question.lower) else 0.55
            return Proposal("list_prices", {"names": order.lines[0].choices}, sure, used=order.used)
        return _which(order, question)
    if _blurred(question, order):
        return _doubtful(order)
    arguments: Dict[str, Any] = {"items": [_wanted(line) for line in order.lines] + [{"name": name} for name in order.unknown]}
    used = list(order.used) + order.told
    by_measure = _without_unit(order) or _uncounted(question, order)
    if by_measure:
        return by_measure
    discount = _discount(question)
    if discount:
        arguments["discount_percent"], used = _plain(discount[0]), used + discount[1]
    added = [figure for figure in question.of_kind("percent") if figure not in used and words.ADDED_WORD.search(question.lower)]
    if added:
        arguments["added_percent"], used = _plain(added[0].value), used + added[:1]
    dearer = [percent for word, percent in surcharges() if word in question.lower and not re.search(r"不%s|没%s" % (word, word), question.lower)]
    if len(dearer) == 1 and not added:
        arguments["added_percent"] = _plain(dearer[0])
    paid = [figure for figure in question.figures if figure.kind == "number" and figure not in used and not figure.soft and (figure.currency or words.PAID.search(question.lower) or words.ENOUGH.search(question.lower))
            and not any(figure.start < line.end and line.start < figure.end for line in order.lines)]
    paid = [figure for figure in paid if not any(figure.start < other.end and other.start < figure.end for other in used)]
    prices = [Decimal(str(item["amount"])) for item in items if item["name"] in {line.name for line in order.lines}]
    named = [figure for figure in paid if figure.value in prices and not (words.PAID.search(question.lower) or words.ENOUGH.search(question.lower))]
    used, paid = used + named, [figure for figure in paid if figure not in named and _may_be_money(figure, question.text)]
    if len(paid) == 1 and (paid[0].currency or words.PAID.search(question.lower) or words.ENOUGH.search(question.lower)):
        arguments["paid"], used = _plain(paid[0].value), used + paid
    if re.search(r"[a-z]", question.lower) or has_cjk(question.text):
        arguments["conditions"] = _conditions(question)
        if not arguments["conditions"]:
            del arguments["conditions"]
    earlier = question.previous("quote_items")
    if earlier and words.ADDS.search(question.lower) and not paid and not discount:
        names = {item.get("name") for item in arguments["items"]}
        arguments["items"] = [item for item in earlier.arguments.get("items", []) if item.get("name") not in names] + arguments["items"]
    counted = any(line.quantity not in (None, Decimal(1)) for line in order.lines) or len(order.lines) > 1
    if words.OTHER_QUESTION.search(question.lower) and not words.STRICTLY.search(question.lower):
        whole = all(question.text[line.start : line.end].lower().rstrip("s") in line.name.lower() and len(line.name) - (line.end - line.start) < 2 for line in order.lines)
        return Proposal("quote_items", arguments, 0.52 if whole and not words.WHO.search(question.lower) else 0.4, used=used)  # about an item, but not about its price
    exact = all(line.end - line.start >= min(len(line.name), 3) for line in order.lines)
    sure = 0.95 if about or paid or discount else 0.9 if follows and (question.is_follow_up or counted or len(question.text) < 30) else 0.85 if words.HAVE.search(question.lower) or _orders(question) else (
        0.88 if counted and len(order.lines) > 1 else 0.78 if counted or len(question.text) < 18 else 0.55)
    return Proposal("quote_items", arguments, sure if exact else sure - 0.1, used=used)


def _blurred(question: Question, order: Order) -> bool:
    """True when two different words would mean one item: "2 adults 2 kids" of a list that has only one of them."""
    said: Dict[str, set] = {}
    for line in order.lines:
        said.setdefault(line.name, set()).add(stem(question.lower[line.start : line.end].strip()))
    return any(len(texts) > 1 for texts in said.values())


def _doubtful(order: Order) -> Proposal:
    """Show what the words may mean, and give no total."""
    by_name = {item["name"]: item for item in price_items()}
    names = list(dict.fromkeys(line.name for line in order.lines))
    listed = "; ".join("%s: %s" % (name, money_text(Decimal(by_name[name]["amount"]), by_name[name]["currency"])) for name in names)
    return Proposal("quote_items", {"items": [{"name": name} for name in names]}, 0.8, used=order.used, ask={
        "en": "I am not sure which items you mean, so I give no total. The list has: %s. Please name them as the list does." % listed,
        "zh": "我不确定您指的是哪几项，所以不给出总价。价目表里有：%s。请按价目表的名称再说一次。" % listed})


def _may_be_money(figure: Figure, text: str) -> bool:
    """True for "with a 20" and 付100, not for the two of "I have two kids"."""
    following = text[figure.end :].lower()
    if figure.currency:
        return True
    return bool(re.match(r"\s*(?:$|[,，.。!！?？;；]|(?:for|and|to|in|on|back|note|bill|left|cash|is|what|how|can|if|when|please|euros?|dollars?|pounds)\b|买|够|找|能|可以|的|整)", following))


def _leftover(question: Question, order: Order) -> str:
    """What a question names beside a word of the list: the carpets of "do you also clean carpets?"."""
    start = order.lines[0].end
    named = [word for word in re.findall(r"[a-z]{4,}", question.lower[start:]) if word not in ORDER_WORDS and word not in HARMLESS]
    return question.lower[order.lines[0].start :].strip(" ?.!") if named else ""


def _uncounted(question: Question, order: Order) -> Optional[Proposal]:
    """Ask how many when a plural stands without a number beside counted things: "4 adults with audio guides"."""
    counted = [line for line in order.lines if line.quantity is not None and line.quantity > 1]
    for line in order.lines if counted else []:
        said = question.text[line.start : line.end].lower()
        if line.quantity is None and said.endswith("s") and not line.name.lower().endswith("s") and said.rstrip("s") in line.name.lower():
            items = [_wanted(other) for other in order.lines]
            return Proposal("quote_items", {"items": items}, 0.9, ask={"en": "How many %s do you want?" % said, "zh": "请问要几个%s？" % line.name})
    return None


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
        if figure.kind == "off" or (words.DISCOUNT_WORD.search(question.lower) and not words.ADDED_WORD.search(question.lower)):
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
    if percent and words.ADDED_WORD.search(question.lower):
        return Proposal("quote_items", dict(arguments, added_percent=_plain(percent[0].value)), 0.85, used=percent[:1])
    numbers = [figure for figure in question.figures if figure.kind == "number"]
    last = arguments["items"][-1] if arguments["items"] else None
    if len(numbers) == 1 and (numbers[0].currency or words.PAID.search(question.lower)) and not re.search(r"\bpay for\b", question.lower):
        return Proposal("quote_items", dict(arguments, paid=_plain(numbers[0].value)), 0.85, used=numbers)
    blank = list(question.lower)
    for span in [*question.figures, *question.measures]:
        blank[span.start : span.end] = " " * (span.end - span.start)
    spoken = "".join(blank)
    only = re.fullmatch(
        r"(?:\W|and|what about|how about|what if|for|or|i|we|want|take|need|buy|make it|make that|if|of them|of those|of these|them|pieces|then|instead|please|just|only|ok|okay|it|is|one|two|three|four|five|six|seven|eight|nine|ten|a dozen|dozen|kg|g|lb|nights?|hours?|people|persons?|"
        r"那么?|如果是?|要是|换成|呢|再|还|要|买|来|个|只|斤|份|瓶|盒|杯|条|张|件|箱|袋|包|位|块|晚|天|小时|人|公斤|千克|克|多少钱|[零一二两三四五六七八九十百]|改成)+", spoken)
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
_NO_NAME = re.compile(r"\b(?:it|that|this|them|all|total|they|these|those|everything|delivery|shipping|you|i|we|open|name|time|there|year old|refund|discount|receipt|invoice|appointment|help|job|idea)\b|这个|那个|一共|它|什么|哪些|营业|开门|多少|个?人|大概|平均|加起来")


def _unknown(question: Question, follows: bool, about: bool) -> Optional[Proposal]:
    """The name in a price question that matches no item, so that the answer can say it is not on the list."""
    text = question.lower.strip().rstrip("?？.。! ")
    for pattern in _UNKNOWN:
        match = pattern.search(text)
        again = re.sub("[%s]" % "".join(CLASSIFIERS), "", match.group(1)) if match and has_cjk(match.group(1)) else ""
        lines = find_lines(again, price_items()) if again and again != match.group(1) else []
        if len(lines) == 1 and len(lines[0].choices) == 1 and lines[0].start == 0 and lines[0].end == len(again):
            return Proposal("quote_items", {"items": [{"name": lines[0].name}]}, 0.8)  # 补张卡 is 补卡
        if match and not _NO_NAME.search(match.group(1)) and len(match.group(1).split()) <= 3 and (about or words.HAVE.search(question.lower) or follows):
            sure = 0.8 if about and re.search(r"how much (?:is|are|for|does|do)|price (?:of|for)|多少钱|怎么卖|什么价|价格", text) else 0.52
            return Proposal("quote_items", {"items": [{"name": match.group(1).strip()}]}, sure)
    short = re.fullmatch(r"(?:(?:an?|the|one|some)\s+)?([a-z]{3,}(?: [a-z]{3,})?)", text)
    if short and question.text.rstrip().endswith(("?", "？")) and not _NO_NAME.search(text) and not re.search(r"\b(?:why|how|what|when|where|who|really|sure|help|yes|no|ok)\b", text):
        return Proposal("quote_items", {"items": [{"name": short.group(1)}]}, 0.5)
    if follows:
        match = re.search(r"^(?:and|what about|how about)\s+(?:\d+\s+)?(?:an? |the )?([a-z]{3,20})$", text) or re.search("^那?([\u4e00-\u9fff]{2,6})呢$", text)
        if match and not _NO_NAME.search(match.group(1)):
            return Proposal("quote_items", {"items": [{"name": match.group(1)}]}, 0.55)
    return None


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Show how the total comes about, or the ranking."""
    return say_prices(function, arguments, result, language)
