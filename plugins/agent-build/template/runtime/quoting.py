"""A known text given as an answer: with what makes it doubtful, and the figures of the question that it leaves out."""
from __future__ import annotations

import re

from runtime.figures import read_figures

_SUM = re.compile(r"\bhow much\b|\btotal\b|\bcosts?\b|\bprice\b|\baltogether\b|多少钱|一共|总共|合计|费用")
_PRICED = re.compile(r"\d[.,]\d\d\b|[$€£¥]|元|\b(?:EUR|USD|GBP|CHF)\b")
# Below this a passage may not be what was asked for.
SURE = 0.5


def quoted(query: str, text: str, match: float, language: str) -> str:
    """A known text as an answer: with what makes it doubtful, and the figures of the question that it does not work out."""
    zh = language == "zh"
    if match < SURE:
        text = ("我不确定这是不是您要问的，资料里最接近的是：\n%s" if zh else "I am not sure that this is what you ask; the closest that I know is:\n%s") % text
    told = {figure.value for figure in read_figures(text) if figure.kind == "number"}
    counted = [figure for figure in read_figures(query) if figure.kind == "number" and not figure.soft and figure.value not in told]
    if counted and (_SUM.search(query.lower()) or len(counted) > 1 or len(query.split()) < 5 or _PRICED.search(text)) and re.search(r"\d", text):
        named = "、".join(figure.text.strip() for figure in counted)
        text += ("\n（我没法据此算出“%s”的总数。）" if zh else '\n(I cannot work out the sum for "%s" from this.)') % named
    return text
