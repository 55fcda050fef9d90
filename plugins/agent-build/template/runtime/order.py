"""Reads an order out of a sentence: which items of a list, how many of each, in which unit, and what is not on the list."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Dict, List, Optional, Sequence, Tuple

from runtime.figures import Figure
from runtime.matching import IRREGULAR, Mention, find_mentions, find_parts
from runtime.measures import Measure, read_measures
from runtime.question import Question
from runtime.text import has_cjk, stem

# Chinese measure words that also name a unit ("杯" is a cup) count pieces here.
CLASSIFIERS = set("个只份瓶盒杯条台本张件套箱袋包位块人次晚天碗盘串片枝支束朵根颗双对间辆部")
_PHYSICAL = ("mass", "volume", "length", "area", "time")


@dataclass
class Line:
    """One item of an order. `choices` are the items it may mean when the text leaves that open."""

    name: str
    start: int
    end: int
    choices: List[str] = field(default_factory=list)
    quantity: Optional[Decimal] = None  # None: the text gives none
    unit: str = ""
    used: List[Figure] = field(default_factory=list)


@dataclass
class Order:
    """An order: its lines, and the names of what was asked for but is not on the list."""

    lines: List[Line]
    unknown: List[str] = field(default_factory=list)
    named: List[Figure] = field(default_factory=list)  # the figures in names: iPhone 15, 半年卡
    told: List[Figure] = field(default_factory=list)  # the figures that count what is not on the list

    @property
    def used(self) -> List[Figure]:
        """The figures that are quantities."""
        return [figure for line in self.lines for figure in line.used] + self.named

    @property
    def counted(self) -> bool:
        """True when a figure says how many; the "one" of "which one" does not."""
        return any(not figure.soft for line in self.lines for figure in line.used)


def find_lines(text: str, items: Sequence[Dict[str, Any]]) -> List[Line]:
    """The items that a text names, whole, by their base ("latte" for latte large), or by a word of theirs."""
    names = [item["name"] for item in items]
    text = _in_list_words(text, names)
    bases: Dict[str, List[Dict[str, Any]]] = {}
    for item in items:
        if item.get("base") and item["base"] != item["name"]:
            bases.setdefault(item["base"], []).append(item)
    mentions = find_mentions(text, [*names, *bases])
    lines = []
    for index, mention in enumerate(mentions):
        if mention.name in bases and mention.name not in names:
            before = mentions[index - 1].end if index else 0
            after = mentions[index + 1].start if index + 1 < len(mentions) else len(text)
            lines.extend(_variants(text, mention, bases[mention.name], before, after))
        else:
            lines.append(Line(mention.name, mention.start, mention.end, [mention.name]))
    for mention, meant in find_parts(text, names, mentions):
        chosen = _narrowed(text, mention, meant)
        lines.append(Line(chosen[0], mention.start, mention.end, chosen))
    return _merged(sorted(lines, key=lambda line: line.start), text)


# Words for the same thing; both sides of a pair have the same length, so that places stay.
_SAME = [("剪头", "剪发"), ("理发", "剪发"), ("男的", "男士"), ("男生", "男士"), ("女的", "女士"), ("女生", "女士"), ("小孩", "儿童"), ("孩子", "儿童"), ("大人", "成人"), ("老头", "老人"), ("门票", "票价"),
         ("学生", "学员"), ("按磨", "按摩")]


def _in_list_words(text: str, names: Sequence[str]) -> str:
    """The text in the words of the list, where people use others: 男的剪头 for 男士剪发."""
    joined = "\n".join(names)
    for one, other in _SAME:
        for said, listed in ((one, other), (other, one)):
            if said in text and said not in joined and listed in joined:
                text = text.replace(said, listed)
    return text


def _variants(text: str, mention: Mention, items: Sequence[Dict[str, Any]], before: int, after: int) -> List[Line]:
    """Both variants of "a small and a large latte", else the one that is meant."""
    found: List[Line] = []
    for item in items:
        for match in re.finditer(_variant_pattern(item["variant"]), text[before : mention.start].lower()) if item.get("variant") else []:
            found.append(Line(item["name"], before + match.start(), before + match.end(), [item["name"]]))
    found.sort(key=lambda line: line.start)
    if len(found) == 2 and re.fullmatch(r"\W*(?:and|or|vs\.?|versus|than|\d+|an?|one|two|the|和|与|还是|或|跟|比|一杯|\W)+", text[found[0].end : found[1].start].lower()):
        found[1].end = mention.end
        return found
    return [_variant(text, mention, items, before, after)]


def _variant(text: str, mention: Mention, items: Sequence[Dict[str, Any]], before: int, after: int) -> Line:
    """Which variant of an item is meant: a word beside it says so ("two large lattes", 大杯拿铁, "latte, small")."""
    zone_before, zone_after = text[before : mention.start].lower(), text[mention.end : after].lower()
    for zone, offset, last in ((zone_before, before, True), (zone_after, mention.end, False)):
        places = []
        for item in items:
            for match in re.finditer(_variant_pattern(item.get("variant", "")), zone) if item.get("variant") else []:
                places.append((match.end() if last else -match.start(), match, item))
        if places:
            _, match, item = max(places, key=lambda place: (place[0], len(place[1].group(0))))
            start, end = min(mention.start, offset + match.start()), max(mention.end, offset + match.end())
            return Line(item["name"], start, end, [item["name"]])
    return Line(items[0]["name"], mention.start, mention.end, [item["name"] for item in items])


_SIZES = {"small": "small|s|小", "medium": "medium|m|regular|中", "large": "large|l|big|大", "s": "small|s|小", "m": "medium|m|中", "l": "large|l|big|大",
          "大杯": "大杯|大|large|big", "中杯": "中杯|中|medium", "小杯": "小杯|小|small", "大份": "大份|大", "小份": "小份|小", "大碗": "大碗|大", "小碗": "小碗|小"}


def _variant_pattern(variant: str) -> str:
    words = _SIZES.get(variant.lower(), re.escape(variant.lower()))
    return "|".join(word if has_cjk(word) else r"(?<![a-z])%s(?![a-z])" % word for word in words.split("|")) if variant.lower() in _SIZES else (
        words if has_cjk(words) else r"(?<![a-z])%s(?![a-z])" % words)


def _narrowed(text: str, mention: Mention, meant: List[str]) -> List[str]:
    """Of the names that share a word, those that share most words with the text around it."""
    if len(meant) == 1:
        return meant
    near = text[max(0, mention.start - 24) : mention.end + 24].lower()
    stems = {stem(form) for word in re.findall(r"[a-z]+", near) for form in (word, IRREGULAR.get(word, word))}

    def shared(name: str) -> int:
        if has_cjk(name):
            return sum(char in near for char in set(name))
        return sum(stem(word) in stems for word in re.findall(r"[a-z]+", name.lower()))

    most = max(map(shared, meant))
    return [name for name in meant if shared(name) == most]


def _merged(lines: List[Line], text: str) -> List[Line]:
    """Put together what names one item twice ("a large coffee" as large and coffee)."""
    merged: List[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        both = [name for name in line.choices if last and name in last.choices]
        if last and both and len(last.choices) + len(line.choices) > 2 and not text[last.end : line.start].strip(" -的（(、"):
            merged[-1] = Line(both[0], last.start, line.end, both)
        else:
            merged.append(line)
    return merged


def read_order(question: Question, items: Sequence[Dict[str, Any]]) -> Order:
    """The items with their quantities."""
    text = question.text
    lines = find_lines(text, items)
    figures = [f for f in question.figures_outside(lines) if f.kind == "number" and not f.currency]
    # The day of "3 day passes" is part of a name, no unit.
    whole = [measure for measure in read_measures(text, figures) if not any(measure.start < line.end and line.start < measure.end for line in lines)]
    measures = {id(figure): measure for measure in whole for figure in measure.figures}
    by_name = {item["name"]: item for item in items}
    taken: List[Figure] = []
    for index, line in enumerate(lines):
        start = lines[index - 1].end if index else 0
        end = lines[index + 1].start if index + 1 < len(lines) else len(text)
        before = [f for f in figures if start <= f.start and f.end <= line.start and f not in taken and not _SEPARATOR.search(text[f.end : line.start])]
        after = [f for f in figures if line.end <= f.start and f.end <= end]
        behind_next = index + 1 < len(lines) and _belongs_ahead(text, after, lines[index + 1])
        _give(line, by_name[line.name], before[-1:], [] if behind_next and before else after if not behind_next else after[:-1], text, measures)
        taken.extend(line.used)
    _share_spans(lines, by_name, figures, taken, text, measures)
    unknown, told = _unknown(text, lines, question)
    named = [figure for figure in question.figures if any(figure.start < line.end and line.start < figure.end for line in lines)]
    return Order(lines, unknown, named, told)


# Between a figure and the item that it counts stands none of these.
_SEPARATOR = re.compile(r"[,，;；、。\n]|\band\b|\bwith\b|\bplus\b|和|跟|加|与|还有|再|\+")


def _belongs_ahead(text: str, after: List[Figure], following: Line) -> bool:
    """True when the last figure between two items counts the second one ("latte, 2 teas", "apples 2 kg, pears 3 kg" does not)."""
    return bool(after) and _SEPARATOR.search(text[after[-1].end : following.start]) is None


def _give(line: Line, item: Dict[str, Any], before: List[Figure], after: List[Figure], text: str, measures: Dict[int, Measure]) -> None:
    """Take the figures beside an item as its quantity; a figure counted in the item's own unit multiplies ("2 rooms for 3 nights")."""
    for figure in before:
        _multiply(line, item, figure, text, measures)
    for figure in after:
        in_unit = _counts_per(item, figure, text)
        if not before or in_unit:
            gap = text[line.end : figure.start]
            if in_unit or re.fullmatch(r"\s*(?:[x×*:：,(（-]|各|just|only|about|[\u4e00-\u9fff]{0,2}(?<![和跟加与]))*\s*", gap) or (id(figure) in measures and len(gap) < 12):
                _multiply(line, item, figure, text, measures)
                if not in_unit:
                    break


def _multiply(line: Line, item: Dict[str, Any], figure: Figure, text: str, measures: Dict[int, Measure]) -> None:
    measure = measures.get(id(figure))
    word = text[measure.figures[-1].end : measure.end].strip() if measure and not measure.figures[-1].measure else measure.figures[-1].measure if measure else ""
    value, used = figure.value, [figure]
    if _counts_per(item, figure, text):
        line.unit = str(item.get("per") or "")
    if measure and measure.kind in _PHYSICAL and not (word in CLASSIFIERS and word not in "天") and not _counts_per(item, figure, text):
        value, used, line.unit = measure.value, list(measure.figures), measure.symbol
    line.quantity = value if line.quantity is None else line.quantity * value
    line.used.extend(used)


def _counts_per(item: Dict[str, Any], figure: Figure, text: str) -> bool:
    """True when a figure is counted in what the item is priced by: 3 nights, 4 people, 两小时."""
    per = str(item.get("per") or "").lower()
    if not per or re.search(r"\d", per):
        return False
    following = text[figure.end : figure.end + 20].lower()
    if has_cjk(per):
        return following.lstrip(" 个").startswith(per) or figure.measure == per or (per in "人位" and bool(re.match("个?人|位|个?大人", following)))
    word = re.match(r"[\s-]*(?:more\s+|full\s+|extra\s+)?([a-z]+)", following)
    people = {"person", "people", "guest", "head", "adult", "pax"}
    return bool(word) and (stem(word.group(1)) == stem(per) or (per in people and word.group(1).rstrip("s") in people))


def _share_spans(lines: List[Line], items: Dict[str, Dict[str, Any]], figures: List[Figure], taken: List[Figure], text: str, measures: Dict[int, Measure]) -> None:
    """"For 3 nights" or "for 4 people" at the end or the beginning counts for every item priced so."""
    spans = [figure for figure in figures if any(_counts_per(items[line.name], figure, text) for line in lines)]
    for figure in spans:
        for line in lines:
            own = any(other in spans for other in line.used)
            if not own and _counts_per(items[line.name], figure, text):
                line.quantity = figure.value if line.quantity is None else line.quantity * figure.value
                line.used.append(figure)
                line.unit = str(items[line.name].get("per") or "")


# What people say around an order; whatever else stands in a list of items is not on the price list.
ORDER_WORDS = frozenset(
    """i i'd i'll i'm we we'd you your my me us it its is are be was will would could can do does did how much many what what's which the a an of for to in on at and or plus with without
    price prices priced cost costs costing total totals sum altogether all together please pls thanks thank hi hello hey need want like take buy get have order ordering orders pay paying
    if so then just also only about around each per piece pieces off discount discounts percent vat tax tip change bill come comes make makes that this these those them one ones some any more
    euro euros eur usd dollar dollars cents cent pounds pound yuan rmb give tell know say there here from by as when too still left over than under between more less cheaper cheapest expensive
    today tomorrow now again another extra x times kg g lb lbs kilo kilos gram grams liter litre liters litres ml oz dozen half box boxes bag bags bottle bottles cup cups glass glasses pack packs
    slice slices portion portions serving servings bowl bowls pot pots loaf loaves bunch bunches can cans tin tins jar jars hour hours day days night nights week weeks month months year years minutes
    person people adult adults child children kid kids student students senior seniors friend friends guest guests ticket tickets session sessions class classes lesson lessons small medium large big
    instead same sure ok okay good let's lets see be me looking thinking planning going and/or both quantity quantities amount size sizes ones add added including include incl together what about how's""".split()
)
_JOINTS = re.compile(r"\b(?:and|plus|with|or)\b|[,;&+/]|和|跟|加上?|与|以及|还有|、|，|；|再来?|另外")
_ZH_WORDS = re.compile(
    "一共|总共|合计|总计|加起来|多少钱|多少|价格|价钱|怎么卖|什么价|几块钱?|请问|我想要?|我要|我们|你们|想要|想买|要买|需要|打算|准备|帮我?|算一下|算算|一下|每样|的话|打折|折后|优惠|便宜|最贵|哪个|哪种|什么|有没有|没有|"
    "够不够|可以|人民币|块钱|今天|明天|现在|谢谢|您好|你好|好的|换成|如果|平均|分别|找零|找我?|付款?|给你"
)


def _unknown(text: str, lines: List[Line], question: Question) -> Tuple[List[str], List[Figure]]:
    """Names between the joints of a list of items that are no item: "2 lattes and a muffin"."""
    if not lines:
        return [], []
    blank = list(text)
    for span in [*lines, *question.figures, *question.measures]:
        blank[span.start : span.end] = "\x00" * (span.end - span.start)
    rest = "".join(blank)
    pieces: List[Tuple[int, int, bool]] = []
    at = 0
    for joint in [*_JOINTS.finditer(rest), None]:
        end = joint.start() if joint else len(rest)
        pieces.append((at, end, at > 0))
        at = joint.end() if joint else end
    unknown: List[str] = []
    named: List[Figure] = field(default_factory=list)  # the figures in names: iPhone 15, 半年卡
    told: List[Figure] = []
    for start, end, joined in pieces:
        counted = "\x00" in rest[start:end]
        if len(pieces) == 1 or any(start <= line.start < end for line in lines):
            continue  # what stands before or behind an item in its own piece is talk
        name = _name_in(rest[start:end], joined or counted)
        if name:
            unknown.append(name)
            told.extend(figure for figure in question.figures if start <= figure.start < end)
    return unknown, told


def _name_in(piece: str, listed: bool) -> str:
    """The one name that a piece of a list leaves when the words of ordering are taken away, or ""."""
    if has_cjk(piece):
        left = re.sub(r"\x00+[%s]?" % "".join(CLASSIFIERS), " ", re.sub(r"[A-Za-z\s?？!！。.]+", " ", piece))
        left = _ZH_WORDS.sub(" ", left).strip(" 的了吗呢吧啊要买来点给是都也只还我你他就再有")
        return left if listed and 2 <= len(left) <= 6 and " " not in left else ""
    words = re.findall(r"[a-z'äöüéèß-]{2,}", re.sub(r"[?!.].*$", "", piece.lower().replace("\x00", " ")))
    # "an oat milk" and "3 bagels" name a thing; "and how is the weather" does not.
    names = [word for word in words if word not in ORDER_WORDS]
    starts = re.match(r"\s*(?:\x00\s*|an?\s|the\s|some\s|one\s)?\s*(?:[a-z]+\s+of\s+)?", piece.lower())
    verbs = re.search(r"\b(?:what|how|when|where|who|is|are|do|does|can|will|i|we|you|my|for|because|since|if)\b", piece.lower()[starts.end() if starts else 0 :])
    return " ".join(names) if listed and 1 <= len(names) <= 3 and not verbs else ""
