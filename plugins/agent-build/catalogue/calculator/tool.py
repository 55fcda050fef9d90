"""Arithmetic on expressions, evaluated over the syntax tree, never with eval(). Decimals where decimals do."""
from __future__ import annotations

import ast
import math
from decimal import Decimal, DivisionByZero, InvalidOperation, localcontext
from typing import Any, Callable, Dict, Union

from runtime.refusal import Refused
from runtime.writing import json_number

__all__ = ["calculate"]

_BINARY: Dict[type, Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: (a / b).to_integral_value("ROUND_FLOOR"),
    ast.Mod: lambda a, b: a - b * (a / b).to_integral_value("ROUND_FLOOR"),
}


def _real(function: Callable[[float], float]) -> Callable[[Decimal], Decimal]:
    return lambda value: Decimal(repr(function(float(value))))


_FUNCTIONS: Dict[str, Callable[..., Decimal]] = {
    "sqrt": lambda value: value.sqrt(),
    "cbrt": _real(lambda value: math.copysign(round(abs(value) ** (1 / 3), 13), value)),
    "abs": abs,
    "round": lambda value, places=Decimal(0): value.quantize(Decimal(1).scaleb(-int(places)), rounding="ROUND_HALF_UP"),
    "floor": lambda value: value.to_integral_value("ROUND_FLOOR"),
    "ceil": lambda value: value.to_integral_value("ROUND_CEILING"),
    "log": _real(math.log),
    "ln": _real(math.log),
    "log10": lambda value: value.log10(),
    "exp": lambda value: value.exp(),
    "sin": _real(math.sin),
    "cos": _real(math.cos),
    "tan": _real(math.tan),
    "min": min,
    "max": max,
    "factorial": lambda value: Decimal(math.factorial(_small(value))),
}
_CONSTANTS = {"pi": Decimal("3.141592653589793238462643383"), "e": Decimal("2.718281828459045235360287471")}
_MAX_LENGTH = 500
_MAX_EXPONENT = 1000


def _small(value: Decimal) -> int:
    if value != int(value) or not 0 <= value <= 170:
        raise Refused("a factorial needs a whole number from 0 to 170", "阶乘需要 0 到 170 的整数")
    return int(value)


def calculate(expression: str) -> Dict[str, Any]:
    """Evaluate an arithmetic expression.

    Understands + - * / // % ** and brackets, sqrt cbrt abs round floor ceil log ln log10
    exp sin cos tan min max factorial, pi and e.

    Args:
        expression: for example "2 * (3 + 4.5)" or "sqrt(2) ** 2".

    Returns:
        {"expression": the expression, "value": the number, "exact": the value in full as
        text}.

    Raises:
        ValueError: the expression cannot be read, or has no finite value.
    """
    if len(expression) > _MAX_LENGTH:
        raise Refused("the expression is longer than %d characters" % _MAX_LENGTH, "算式超过 %d 个字符" % _MAX_LENGTH)
    try:
        with localcontext() as context:
            context.prec = 50
            tree = ast.parse(expression.strip(), mode="eval")
            value = _value(tree.body)
            if value == value.to_integral_value() and abs(value) < Decimal(10) ** 45:
                exact = value.to_integral_value()
            else:
                context.prec = 15
                exact = (+value).normalize()
    except (DivisionByZero, ZeroDivisionError) as error:
        raise Refused("division by zero has no result", "除数不能为零") from error
    except (SyntaxError, RecursionError, TypeError, OverflowError, InvalidOperation, MemoryError) as error:
        raise Refused("cannot calculate %r" % expression, "无法计算“%s”" % expression) from error
    if not exact.is_finite():
        raise Refused("%r has no finite value" % expression, "“%s”没有有限的结果" % expression)
    number: Union[int, float] = json_number(exact)
    return {"expression": expression.strip(), "value": number, "exact": format(exact, "f") if abs(exact.adjusted()) < 40 else str(exact)}


def _value(node: ast.AST) -> Decimal:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Decimal(repr(node.value))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            if abs(right) > _MAX_EXPONENT or abs(left) > Decimal(10) ** 100:
                raise Refused("the power is too large", "指数太大")
            return left**right
        if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        return -_value(node.operand) if isinstance(node.op, ast.USub) else _value(node.operand)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords:
        try:
            return _FUNCTIONS[node.func.id](*[_value(argument) for argument in node.args])
        except (ValueError, OverflowError) as error:
            if isinstance(error, Refused):
                raise
            raise Refused("%s has no value there" % node.func.id, "%s 在此处没有值" % node.func.id) from error
    raise Refused("only numbers, + - * / // % **, brackets and known functions are allowed", "只支持数字、加减乘除、乘方、括号和常用函数")
