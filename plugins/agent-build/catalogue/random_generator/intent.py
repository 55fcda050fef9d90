"""When a question wants a password, a UUID, dice, a random number or a pick."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

from runtime.question import Proposal, Question
from runtime.writing import show

DOES = True
_RANGE = re.compile(r"\b(?:average|mean|expected|max(?:imum)?|min(?:imum)?|highest|lowest|most|least|range|possible)\b|平均|期望|最大|最小|最高|最低|最多|最少|范围")


def propose(question: Question) -> Optional[Proposal]:
    """What is to be random, and its numbers."""
    if len(question.text) > 400:
        return None
    figures = [figure for figure in question.figures if figure.kind == "number" and not figure.soft]
    numbers = [int(figure.value) for figure in figures if figure.value == int(figure.value)]
    other_work = question.has("reset", "forgot", "change my", "login", "重置", "忘记", "修改")
    makes = question.has("generate", "create", "make", "give", "need", "new", "random", "want", "生成", "随机", "来一个", "来个", "给我", "创建", "产生", "strong", "secure", "please", "pls", "characters", "位")
    if question.has("password", "passwords", "passphrase", "密码", "口令") and makes and not other_work:
        plain = question.has("without symbols", "no symbols", "letters and digits only", "不要符号", "不含符号")
        return Proposal("generate_password", {"length": max(numbers) if numbers else 16, "symbols": not plain}, 0.93, used=figures[:1])
    if question.has("uuid", "uuids", "guid", "唯一标识"):
        return Proposal("generate_uuid", {"count": numbers[0] if numbers else 1}, 0.92, used=figures[:1])
    notation = re.search(r"(?<![a-z0-9])(\d*)d(\d+)(?:\s*([+-])\s*(\d+))?(?![a-z0-9])", question.lower)
    if question.has("dice", "die", "roll", "掷骰子", "骰子", "色子") or (notation and (question.has("roll", "掷", "投") or _RANGE.search(question.lower) or len(question.text) < 16)):
        if notation:
            rolled = {"count": int(notation.group(1) or 1), "sides": int(notation.group(2))}
            if notation.group(4):
                rolled["added"] = int(notation.group(3) + notation.group(4))
            function = "dice_range" if _RANGE.search(question.lower) else "roll_dice"
            return Proposal(function, rolled, 0.93, used=[figure for figure in question.figures if notation.start() <= figure.start < notation.end()])
        sided = re.search(r"(\d+)\s*-?\s*(?:sided|faced|面)", question.lower)
        sides = int(sided.group(1)) if sided else 6
        counts = [figure for figure in figures if not (sided and figure.start == sided.start(1))]
        return Proposal("roll_dice", {"count": int(counts[0].value) if counts else 1, "sides": sides}, 0.9, used=figures[: 1 + bool(sided)])
    if question.has("flip a coin", "coin", "coin flip", "toss a coin", "抛硬币", "硬币"):
        return Proposal("pick_one", {"options": ["正面", "反面"] if question.language == "zh" else ["heads", "tails"]}, 0.9)
    if question.has("random number", "随机数", "random integer", "pick a number", "number between", "随机数字", "随机选一个数") or (question.has("random") and question.has("between")):
        low, high = (min(numbers), max(numbers)) if len(numbers) > 1 else (1, numbers[0] if numbers else 100)
        return Proposal("random_number", {"low": low, "high": high}, 0.92, used=figures[:2])
    turns = re.search(r"\bwho(?:'s| is| goes| starts| begins| plays| gets| has to| should| will| does)\b|\bwhose turn\b|谁(?:先|去|来|负责|请客)", question.lower) and len(_options(question)) > 1
    picks = turns or question.has("pick one", "choose one", "pick", "choose", "draw one", "random choice", "decide between", "选一个", "挑一个", "抽一个", "随机选")
    shuffles = question.has("shuffle", "random order", "打乱", "随机排序")
    options = _options(question)
    if (picks or shuffles) and len(options) > 1:
        return Proposal("shuffle_list" if shuffles else "pick_one", {"options": options}, 0.9)
    previous = question.previous("generate_password", "generate_uuid", "roll_dice", "random_number", "pick_one", "shuffle_list")
    if previous and re.match(r"\s*(?:again|another|another one|one more|once more|再来一个|再来一次|再来|重来)", question.lower):
        return Proposal(previous.function, previous.arguments, 0.95)
    return None


def _options(question: Question) -> List[str]:
    listed = re.search(r"[:：]\s*(.+)$", question.text)
    text = question.payload() or (listed.group(1) if listed else None) or question.after("from", "between", "among", "of", "从", "在") or question.after("shuffle", "打乱") or ""
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
        rolled = "%dd%d" % (arguments.get("count", 1), arguments.get("sides", 6))
        if result.get("added"):
            sign = "-" if result["added"] < 0 else "+"
            return "%s%s%d: %s %s %d = %d" % (rolled, sign, abs(result["added"]), rolls.replace(", ", " + "), sign, abs(result["added"]), result["total"])
        return rolls if len(result["rolls"]) == 1 else "%s = %d" % (rolls.replace(", ", " + "), result["total"])
    if function == "dice_range":
        rolled = "%dd%d%s" % (arguments.get("count", 1), arguments.get("sides", 6), "%+d" % arguments["added"] if arguments.get("added") else "")
        return ("%s：平均 %s，最小 %d，最大 %d。" if language == "zh" else "%s: average %s, lowest %d, highest %d.") % (rolled, show(result["average"]), result["lowest"], result["highest"])
    if function == "random_number":
        return str(result["number"])
    return result["picked"] if function == "pick_one" else ", ".join(result["order"])
