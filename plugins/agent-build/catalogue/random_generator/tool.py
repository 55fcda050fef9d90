"""Random values from the system's secure source: passwords, UUIDs, dice, picks, shuffles."""
from __future__ import annotations

import secrets
import string
import uuid
from typing import Any, Dict, List

from runtime.refusal import Refused

__all__ = ["generate_password", "generate_uuid", "roll_dice", "dice_range", "random_number", "pick_one", "shuffle_list"]

_random = secrets.SystemRandom()


def generate_password(length: int = 16, symbols: bool = True) -> Dict[str, Any]:
    """Generate a random password with lower case, upper case and digits.

    Args:
        length: 8 to 128 characters.
        symbols: whether to use punctuation too.

    Returns:
        {"password", "length"}.
    """
    if not 8 <= length <= 128:
        raise Refused("a password has 8 to 128 characters here", "密码长度应为 8 到 128 个字符")
    groups = [string.ascii_lowercase, string.ascii_uppercase, string.digits] + (["!#$%&*+-=?@_"] if symbols else [])
    characters = [secrets.choice(group) for group in groups]
    characters += [secrets.choice("".join(groups)) for _ in range(length - len(groups))]
    _random.shuffle(characters)
    return {"password": "".join(characters), "length": length}


def generate_uuid(count: int = 1) -> Dict[str, Any]:
    """Generate random UUIDs (version 4).

    Args:
        count: 1 to 100.

    Returns:
        {"uuids": [...]}.
    """
    if not 1 <= count <= 100:
        raise Refused("1 to 100 at a time", "一次 1 到 100 个")
    return {"uuids": [str(uuid.uuid4()) for _ in range(count)]}


def roll_dice(count: int = 1, sides: int = 6, added: int = 0) -> Dict[str, Any]:
    """Roll dice.

    Args:
        count: how many, 1 to 100.
        sides: of each die, 1 to 1000.
        added: what is added to the sum: 2 for "3d6+2".

    Returns:
        {"rolls": [...], "added", "total"}.
    """
    _check_dice(count, sides)
    rolls = [secrets.randbelow(sides) + 1 for _ in range(count)]
    return {"rolls": rolls, "added": added, "total": sum(rolls) + added}


def _check_dice(count: int, sides: int) -> None:
    if not (1 <= count <= 100 and 1 <= sides <= 1000):
        raise Refused("1 to 100 dice with 1 to 1000 sides", "可以掷 1 到 100 个 1 到 1000 面的骰子")


def dice_range(count: int = 1, sides: int = 6, added: int = 0) -> Dict[str, Any]:
    """Tell the lowest, the highest and the average sum of dice, without rolling them.

    Args:
        count: how many, 1 to 100.
        sides: of each die, 1 to 1000.
        added: what is added to the sum: 2 for "3d6+2".

    Returns:
        {"lowest", "highest", "average"}.
    """
    _check_dice(count, sides)
    return {"lowest": count + added, "highest": count * sides + added, "average": count * (sides + 1) / 2 + added}


def random_number(low: int, high: int) -> Dict[str, Any]:
    """Draw a whole number.

    Args:
        low: the smallest it can be.
        high: the largest it can be.

    Returns:
        {"number", "low", "high"}.
    """
    if low > high:
        raise Refused("the lower end lies above the upper end", "下限高于上限")
    return {"number": low + secrets.randbelow(high - low + 1), "low": low, "high": high}


def pick_one(options: List[str]) -> Dict[str, Any]:
    """Pick one of several options by chance.

    Args:
        options: at least one.

    Returns:
        {"picked", "of": how many there were}.
    """
    if not options:
        raise Refused("there is nothing to pick from", "没有可选的内容")
    return {"picked": secrets.choice(options), "of": len(options)}


def shuffle_list(options: List[str]) -> Dict[str, Any]:
    """Put a list into random order.

    Args:
        options: the entries.

    Returns:
        {"order": [...]}.
    """
    order = list(options)
    _random.shuffle(order)
    return {"order": order}
