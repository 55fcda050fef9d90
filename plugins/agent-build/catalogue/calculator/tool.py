"""Arithmetic on expressions, evaluated over the syntax tree, never with eval()."""
from __future__ import annotations

import ast
import math
import operator
from typing import Any, Callable, Dict

__all__ = ["calculate"]

_BINARY: Dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: Dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "log": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "min": min,
    "max": max,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_MAX_LENGTH = 500
_MAX_EXPONENT = 1000


def calculate(expression: str) -> Dict[str, Any]:
    """Evaluate an arithmetic expression.

    Understands + - * / // % ** and brackets, sqrt abs round floor ceil log log10
    exp sin cos tan min max, pi and e.

    Args:
        expression: for example "2 * (3 + 4.5)" or "sqrt(2) ** 2".

    Returns:
        {"expression": the expression, "value": the number}.

    Raises:
        ValueError: the expression cannot be read, or has no finite value.
    """
    if len(expression) > _MAX_LENGTH:
        raise ValueError("the expression is longer than %d characters" % _MAX_LENGTH)
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        value = _value(tree.body)
    except ZeroDivisionError as error:
        raise ValueError("division by zero") from error
    except (SyntaxError, RecursionError, TypeError, OverflowError) as error:
        raise ValueError("cannot calculate %r" % expression) from error
    if isinstance(value, complex) or not math.isfinite(value):
        raise ValueError("%r has no finite value" % expression)
    # 0.1 + 0.2 is 0.3 for people
    return {"expression": expression.strip(), "value": round(value, 12) if isinstance(value, float) else value}


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            if abs(right) > _MAX_EXPONENT or abs(left) > 1e100:
                raise ValueError("the power is too large")
            return left**right
        if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        return -_value(node.operand) if isinstance(node.op, ast.USub) else _value(node.operand)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords:
        return _FUNCTIONS[node.func.id](*[_value(argument) for argument in node.args])
    raise ValueError("only numbers, + - * / // % **, brackets and known functions are allowed")
