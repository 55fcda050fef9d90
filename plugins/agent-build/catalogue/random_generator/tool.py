"""Random values from the system's secure source: passwords, UUIDs, dice, picks, shuffles."""
from __future__ import annotations

import secrets
import string
import uuid
from typing import Any, Dict, List

__all__ = ["generate_password", "generate_uuid", "roll_dice", "random_number", "pick_one", "shuffle_list"]

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
        raise ValueError("a password has 8 to 128 characters here")
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
        raise ValueError("1 to 100 at a time")
    return {"uuids": [str(uuid.uuid4()) for _ in range(count)]}


def roll_dice(count: int = 1, sides: int = 6) -> Dict[str, Any]:
    """Roll dice.

    Args:
        count: how many, 1 to 100.
        sides: of each die, 2 to 1000.

    Returns:
        {"rolls": [...], "total"}.
    """
    if not (1 <= count <= 100 and 2 <= sides <= 1000):
        raise ValueError("1 to 100 dice with 2 to 1000 sides")
    rolls = [secrets.randbelow(sides) + 1 for _ in range(count)]
    return {"rolls": rolls, "total": sum(rolls)}


def random_number(low: int, high: int) -> Dict[str, Any]:
    """Draw a whole number.

    Args:
        low: the smallest it can be.
        high: the largest it can be.

    Returns:
        {"number", "low", "high"}.
    """
    if low > high:
        raise ValueError("the lower end lies above the upper end")
    return {"number": low + secrets.randbelow(high - low + 1), "low": low, "high": high}


def pick_one(options: List[str]) -> Dict[str, Any]:
    """Pick one of several options by chance.

    Args:
        options: at least one.

    Returns:
        {"picked", "of": how many there were}.
    """
    if not options:
        raise ValueError("there is nothing to pick from")
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
