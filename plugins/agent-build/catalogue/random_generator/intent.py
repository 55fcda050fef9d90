"""When a question wants a password, a UUID, dice, a random number or a pick."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from runtime.question import Proposal, Question


def propose(question: Question) -> Optional[Proposal]:
    """What is to be random, and its numbers."""
    if len(question.text) > 400:
        return None
    numbers = [int(number) for number in question.numbers()]
    makes = question.has("generate", "create", "make", "give", "need", "new", "random", "want", "生成", "随机", "来一个", "给我", "创建", "产生")
    if question.has("password", "passwords", "passphrase", "密码", "口令") and makes:
        plain = question.has("without symbols", "no symbols", "letters and digits only", "不要符号", "不含符号")
        return Proposal("generate_password", {"length": max(numbers) if numbers else 16, "symbols": not plain}, 0.93)
    if question.has("uuid", "uuids", "guid", "唯一标识"):
        return Proposal("generate_uuid", {"count": numbers[0] if numbers else 1}, 0.92)
    notation = re.search(r"\b(\d*)d(\d+)\b", question.lower)
    if question.has("dice", "die", "roll", "掷骰子", "骰子") or (notation and question.has("roll")):
        if notation:
            return Proposal("roll_dice", {"count": int(notation.group(1) or 1), "sides": int(notation.group(2))}, 0.93)
        return Proposal("roll_dice", {"count": numbers[0] if numbers else 1, "sides": 6}, 0.9)
    if question.has("flip a coin", "coin", "coin flip", "toss a coin", "抛硬币", "硬币"):
        return Proposal("pick_one", {"options": ["正面", "反面"] if question.language == "zh" else ["heads", "tails"]}, 0.9)
    if question.has("random number", "随机数", "random integer") or (question.has("random") and question.has("between")):
        low, high = (min(numbers), max(numbers)) if len(numbers) > 1 else (1, numbers[0] if numbers else 100)
        return Proposal("random_number", {"low": low, "high": high}, 0.92)
    picks = question.has("pick one", "choose one", "pick", "choose", "draw one", "random choice", "decide between", "选一个", "挑一个", "抽一个", "随机选")
    shuffles = question.has("shuffle", "random order", "打乱", "随机排序")
    options = _options(question)
    if (picks or shuffles) and len(options) > 1:
        return Proposal("shuffle_list" if shuffles else "pick_one", {"options": options}, 0.9)
    previous = question.previous("generate_password", "generate_uuid", "roll_dice", "random_number", "pick_one", "shuffle_list")
    if previous and re.match(r"\s*(?:again|another|another one|one more|once more|再来一个|再来一次|再来|重来)", question.lower):
        return Proposal(previous.function, previous.arguments, 0.95)
    return None


def _options(question: Question) -> List[str]:
    text = question.payload() or question.after("from", "between", "among", "of", "从", "在") or question.after("shuffle", "打乱") or ""
    text = re.sub(r"(?:中|里)?(?:随机)?(?:选|挑|抽).*$", "", text)
    return [part.strip(" \"'“”?？。") for part in re.split(r",|，|、|;|\n|\bor\b|\band\b|和|或者|或", text) if part.strip(" \"'“”?？。")]


def say(function: str, arguments: Dict[str, Any], result: Dict[str, Any], language: str) -> str:
    """Give the value."""
    if function == "generate_password":
        return result["password"]
    if function == "generate_uuid":
        return "\n".join(result["uuids"])
    if function == "roll_dice":
        rolls = ", ".join(map(str, result["rolls"]))
        return rolls if len(result["rolls"]) == 1 else "%s = %d" % (rolls.replace(", ", " + "), result["total"])
    if function == "random_number":
        return str(result["number"])
    return result["picked"] if function == "pick_one" else ", ".join(result["order"])
