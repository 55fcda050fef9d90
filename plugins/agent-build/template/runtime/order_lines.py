"""Finds the items of a list that a text names: whole, by their base with a variant, or by a word of theirs."""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Dict, List, Optional, Sequence

from runtime.figures import Figure, read_figures
from runtime.matching import IRREGULAR, Mention, find_mentions, find_parts
from runtime.measures import Measure, read_measures
from runtime.text import has_cjk, stem
from runtime.units import convert

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
    return [_of_size(text, mention, items, before, after) or _variant(text, mention, items, before, after)]


def _of_size(text: str, mention: Mention, items: Sequence[Dict[str, Any]], before: int, after: int) -> Optional[Line]:
    """The variant whose size a measure beside the name gives: "one kilo of house blend" is the 1kg."""
    sizes = {item["name"]: read_measures(item["variant"], read_figures(item["variant"])) for item in items if re.match(r"\d", item.get("variant") or "")}
    said = [measure for measure in read_measures(text, read_figures(text)) if before <= measure.start < after] if sizes else []
    for measure in said:
        for name, own in sizes.items():
            if len(own) == 1 and own[0].kind == measure.kind and in_base(own[0]) == in_base(measure):
                return Line(name, min(mention.start, measure.start), max(mention.end, measure.end), [name])
    return None


def in_base(measure: Measure) -> Decimal:
    """A measure in the smallest common unit of its kind, to compare it with another."""
    smallest = {"mass": "g", "volume": "ml", "length": "mm"}.get(measure.kind)
    return convert(measure.value, measure.symbol, smallest)[3] if smallest else measure.value


def _variant(text: str, mention: Mention, items: Sequence[Dict[str, Any]], before: int, after: int) -> Line:
    """Which variant of an item is meant: a word beside it says so ("two large lattes", 大杯拿铁, "latte, small")."""
    zone_before, zone_after = text[before : mention.start].lower(), text[mention.end : after].lower()
    by_size = _smallest_or_largest(items, zone_before + " " + zone_after)
    if by_size:
        return Line(by_size, mention.start, mention.end, [by_size])
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


def _smallest_or_largest(items: Sequence[Dict[str, Any]], around: str) -> str:
    """The 250g of "two small jars" where there are jars of 250g and 500g; "" when sizes are told otherwise."""
    sizes = {item["name"]: read_measures(item["variant"], read_figures(item["variant"])) for item in items}
    if len(items) < 2 or not all(len(size) == 1 for size in sizes.values()) or len({size[0].kind for size in sizes.values()}) != 1:
        return ""
    small, large = re.search(r"\b(?:small|smallest|little)\b|小", around), re.search(r"\b(?:large|largest|big|biggest)\b|大", around)
    if bool(small) == bool(large):
        return ""
    return (min if small else max)(sizes, key=lambda name: in_base(sizes[name][0]))


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


def _whole(line: Line) -> bool:
    return line.end - line.start >= len(line.name)


def _merged(lines: List[Line], text: str) -> List[Line]:
    """Put together what names one item twice ("a large coffee" as large and coffee)."""
    merged: List[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        both = [name for name in line.choices if last and name in last.choices]
        joined = last is not None and last.end == line.start and has_cjk(text[last.start : line.end])
        if joined and last and _whole(last) != _whole(line):
            # 补考科目二 names one thing: the part that other names have, too, only says which list is meant.
            merged[-1] = replace(last if _whole(last) else line, start=last.start, end=line.end)
            continue
        if last and both and len(last.choices) + len(line.choices) > 2 and not text[last.end : line.start].strip(" -的（(、"):
            merged[-1] = Line(both[0], last.start, line.end, both)
        else:
            merged.append(line)
    return merged
