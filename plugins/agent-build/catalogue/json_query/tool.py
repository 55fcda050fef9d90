"""Questions to JSON text: check, shape, values at a path, values of a key."""
from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Tuple, Union

__all__ = ["check_json", "json_path", "find_key", "format_json"]

_MAX_FOUND = 100


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError("not valid JSON: %s in line %d, column %d" % (error.msg, error.lineno, error.colno)) from error
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def check_json(text: str) -> Dict[str, Any]:
    """Check JSON text and describe its shape.

    Args:
        text: the JSON text.

    Returns:
        {"valid": bool, "error": why not, "type", "size": entries on the top level, "keys": of a top-level object}.
    """
    try:
        value = _parse(text)
    except ValueError as error:
        return {"valid": False, "error": str(error), "type": None, "size": 0, "keys": []}
    return {
        "valid": True,
        "error": None,
        "type": {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number"),
        "size": len(value) if isinstance(value, (dict, list)) else 1,
        "keys": list(value)[:_MAX_FOUND] if isinstance(value, dict) else [],
    }


def json_path(text: str, path: str) -> Dict[str, Any]:
    """Read the value at a path of JSON text.

    Args:
        text: the JSON text.
        path: keys and indexes such as "users[0].name"; a leading "$." may stand; [*] means every entry.

    Returns:
        {"path", "value"}; with [*] the value is a list.

    Raises:
        ValueError: the text is no JSON, or has nothing at that path.
    """
    steps: List[Union[str, int]] = []
    for key, index in re.findall(r"([^.\[\]$]+)|\[(\d+|\*)\]", path):
        steps.append(key.strip("'\"") if key else "*" if index == "*" else int(index))
    values, many = [_parse(text)], False
    for step in steps:
        following: List[Any] = []
        for value in values:
            if step == "*" and isinstance(value, (list, dict)):
                following.extend(value if isinstance(value, list) else value.values())
                many = True
            elif isinstance(step, int) and isinstance(value, list) and step < len(value):
                following.append(value[step])
            elif isinstance(step, str) and isinstance(value, dict) and step in value:
                following.append(value[step])
            elif not many:
                raise ValueError("there is nothing at %r: no %r" % (path, step))
        values = following
    return {"path": path, "value": values if many else values[0]}


def find_key(text: str, key: str) -> Dict[str, Any]:
    """Find every value of a key, at any depth of JSON text.

    Args:
        text: the JSON text.
        key: the key; upper and lower case are the same.

    Returns:
        {"key", "found": [{"path", "value"}], "count"}, at most 100 found.
    """
    found = [{"path": path, "value": value} for path, name, value in _walk(_parse(text), "$") if name.lower() == key.lower()]
    return {"key": key, "found": found[:_MAX_FOUND], "count": len(found)}


def format_json(text: str, indent: int = 2) -> Dict[str, Any]:
    """Lay out JSON text for reading.

    Args:
        text: the JSON text.
        indent: spaces for each level, 0 to 8; 0 puts all on one line.

    Returns:
        {"json": the text}.
    """
    depth = max(0, min(8, indent))
    return {"json": json.dumps(_parse(text), ensure_ascii=False, indent=depth or None)}


def keys_in(text: str) -> List[str]:
    """All keys of a JSON text, in order of appearance; empty when it is no JSON."""
    try:
        return list(dict.fromkeys(name for _, name, _ in _walk(_parse(text), "$")))
    except ValueError:
        return []


def _walk(value: Any, path: str) -> Iterator[Tuple[str, str, Any]]:
    stack: List[Tuple[str, Any]] = [(path, value)]
    while stack:
        here, current = stack.pop()
        if isinstance(current, dict):
            for key, inner in current.items():
                yield "%s.%s" % (here, key), key, inner
            stack.extend(("%s.%s" % (here, key), inner) for key, inner in reversed(list(current.items())))
        elif isinstance(current, list):
            stack.extend(("%s[%d]" % (here, index), inner) for index, inner in reversed(list(enumerate(current))))
