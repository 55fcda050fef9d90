"""The words around an order, and what they leave: the name of a thing that is not on the list."""
from __future__ import annotations

import re

from runtime.text import has_cjk

# Chinese measure words that also name a unit ("杯" is a cup) count pieces here.
CLASSIFIERS = set("个只份瓶盒杯条台本张件套箱袋包位块人次晚天碗盘串片枝支束朵根颗双对间辆部")
# What people say around an order; whatever else stands in a list of items is not on the price list.
ORDER_WORDS = frozenset(
    """i i'd i'll i'm we we'd you your my me us it its is are be was will would could can do does did how much many what what's which the a an of for to in on at and or plus with without
    price prices priced cost costs costing total totals sum altogether all together please pls thanks thank hi hello hey need want like take buy get have order ordering orders pay paying
    if so then just also only about around each per piece pieces off discount discounts percent vat tax tip change bill come comes make makes that this these those them one ones some any more
    euro euros eur usd dollar dollars cents cent pounds pound yuan rmb give tell know say there here from by as when too still left over than under between more less cheaper cheapest expensive
    today tomorrow now again another extra x times kg g lb lbs kilo kilos gram grams liter litre liters litres ml oz dozen half box boxes bag bags bottle bottles cup cups glass glasses pack packs
    slice slices portion portions serving servings bowl bowls pot pots loaf loaves bunch bunches can cans tin tins jar jars hour hours day days night nights week weeks month months year years minutes
    person people adult adults child children kid kids student students senior seniors friend friends guest guests ticket tickets session sessions class classes lesson lessons small medium large big
    instead same sure ok okay good let's lets see be me looking thinking planning going and/or both quantity quantities amount size sizes ones add added including include incl together what about how's note notes bill banknote cash back year years old""".split()
)
JOINTS = re.compile(r"\b(?:and|plus|with|or)\b|[,;&+/]|和|跟|加上?|与|以及|还有|、|，|；|再来?|另外")
_ZH_WORDS = re.compile(
    "一共|总共|合计|总计|加起来|多少钱|多少|价格|价钱|怎么卖|什么价|几块钱?|请问|我想要?|我要|我们|你们|想要|想买|要买|需要|打算|准备|帮我?|算一下|算算|一下|每样|的话|打折|折后|优惠|便宜|最贵|哪个|哪种|什么|有没有|没有|"
    "够不够|可以|人民币|块钱|今天|明天|现在|谢谢|您好|你好|好的|换成|如果|平均|分别|找零|找我?|付款?|给你"
)


def name_in(piece: str, listed: bool) -> str:
    """The one name that a piece of a list leaves when the words of ordering are taken away, or ""."""
    if has_cjk(piece):
        left = re.sub(r"\x00+[%s]?" % "".join(CLASSIFIERS), " ", re.sub(r"[A-Za-z\s?？!！。.]+", " ", piece))
        left = _ZH_WORDS.sub(" ", left).strip(" 的了吗呢吧啊要买来点给是都也只还我你他就再有")
        # 加蛋: one sign names what is added.
        return left if listed and (2 <= len(left) <= 6 or len(left) == 1 and left in "蛋肠糖冰奶肉菜葱辣珠") and " " not in left else ""
    words = re.findall(r"[a-z'äöüéèß-]{2,}", re.sub(r"[?!.].*$", "", piece.lower().replace("\x00", " ")))
    # "an oat milk" and "3 bagels" name a thing; "and how is the weather" does not.
    names = [word for word in words if word not in ORDER_WORDS]
    starts = re.match(r"\s*(?:\x00\s*|an?\s|the\s|some\s|one\s)?\s*(?:[a-z]+\s+of\s+)?", piece.lower())
    verbs = re.search(r"\b(?:what|how|when|where|who|is|are|do|does|can|will|i|we|you|my|for|because|since|if)\b", piece.lower()[starts.end() if starts else 0 :])
    return " ".join(names) if listed and 1 <= len(names) <= 3 and not verbs else ""
