"""Tells a known name from a strange one that ends in it: 总统套房 is not the 套房 of a list, a mountain bike no city bike."""
from __future__ import annotations

import re
from typing import Optional

from runtime.order_words import ORDER_WORDS
from runtime.question import Question
from runtime.text import has_cjk

HARMLESS = frozenset("fresh nice good delicious normal regular plain simple single whole your our their these those the a an hot more extra another big full of one each per any some cheapest dearest best standard".split())
_BEFORE_NAME = re.compile(r"(?:^|\d+\s*|\b(?:an?|the|is|are|for|of|some|any|have|sell|offer|do|does|price|cost|costs|much)\s+)((?:[a-z-]{3,}\s+){1,2})$")
# Signs before which a Chinese name begins: measure words, verbs, particles.
_ZH_EDGE = "\\s，,。？?！!和跟与加、的个只斤份瓶盒杯条台本张件套箱袋包位碗盘间晚天次人支枝朵束根颗粒片块双对辆部把桶罐壶笼卷头棵栋层楼页名口期场局盏顶扇幅封篇首款种元克公里两要买来点给有卖订住做吃喝租问请几各每到去寄往在是从用拿换加配选看送打洗剪学上坐拍印修办开定按去进报约叫让带装换练考补借还取发收查算和熨烫染理按摩一二两三四五六七八九十半\\d"
_ZH_BEFORE = re.compile("(?:^|[%s]|你们|我们|请问|多少|一下|现在|今天|明天)((?:(?![%s])[\u4e00-\u9fff]){1,3})$" % (_ZH_EDGE, _ZH_EDGE))


def stranger(question: Question, start: int, end: int, name: str, single: bool) -> Optional[str]:
    """The strange name that a mention of a known one is the end of, or None. `single`: only one known name is meant."""
    blank = list(question.lower)
    for span in [*question.figures, *question.measures]:
        blank[span.start : span.end] = "0" * (span.end - span.start)
    before = "".join(blank[:start])
    whole = single and (end - start >= len(name) or not has_cjk(name))
    if has_cjk(question.text[start:end]):
        match = _ZH_BEFORE.search(before)
        if match is None or match.group(1) in name or (len(match.group(1)) < 2 and whole):
            return None
        return match.group(1) + question.text[start:end]
    match = _BEFORE_NAME.search(before)
    joined = re.split(r"\b(?:and|or|plus|with)\b", match.group(1)) if match else [""]
    words = [word for word in joined[-1].split() if word not in HARMLESS and word not in ORDER_WORDS]
    if not words or any(word in name.lower() or word.rstrip("s") in name.lower() for word in words):
        return None
    return " ".join(words) + " " + question.text[start:end].lower()
