"""A calculator over Python's syntax tree. It knows numbers, operators and the functions below, and nothing
else.

Numbers are exact fractions as long as that is possible. Every step is bounded before it is made, so that no
expression takes noticeable time or memory.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from fractions import Fraction

from gitu_basics.functions import CONSTANTS, FUNCTIONS, MAX_BITS, bits
from gitu_basics.numbers import Number
from gitu_basics.wording import to_python
from gitu_core.errors import ToolError

MAX_LENGTH = 1000
"""The longest expression, in characters."""

MAX_DEPTH = 100
"""How deep an expression may be nested."""

_HINT = "use numbers, + - * / ^ %, brackets and functions such as sqrt, sin or log"

_ARITHMETIC: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def evaluate(expression: str) -> Number:
    """What *expression* comes to. `ToolError` says what is wrong with it."""
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"the expression is longer than {MAX_LENGTH} characters", hint="calculate it in parts")
    source = to_python(expression)
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"{expression.strip()!r} is not an expression", hint=_HINT) from error
    try:
        return _value(tree.body, source, 0)
    except ZeroDivisionError as error:
        raise ToolError("cannot divide by zero", hint="change the divisor") from error
    except (OverflowError, ValueError) as error:
        raise ToolError(f"this has no result: {error}", hint="check the numbers") from error


def _value(node: ast.expr, source: str, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise ToolError("the expression is nested too deeply", hint="calculate it in parts")
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise ToolError(f"{ast.unparse(node)} is not a number", hint=_HINT)
        case ast.Constant():
            return _constant(node, source)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, source, depth + 1)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _value(inner, source, depth + 1)
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _value(left, source, depth + 1), _value(right, source, depth + 1))
        case ast.Name(id=name) if name.lower() in CONSTANTS:
            return CONSTANTS[name.lower()]
        case ast.Name(id=name):
            raise ToolError(f"there is no constant {name!r}", hint=f"known are {', '.join(sorted(CONSTANTS))}")
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return _call(name.lower(), [_value(each, source, depth + 1) for each in args])
    raise ToolError("only arithmetic can be calculated", hint=_HINT)


def _constant(node: ast.Constant, source: str) -> Number:
    """The number as it is written: 0.1 is a tenth, not the nearest binary number."""
    if isinstance(node.value, int):
        return _checked(Fraction(node.value))
    text = source[node.col_offset : node.end_col_offset].replace("_", "")
    exponent = text.lower().partition("e")[2]
    if exponent and abs(int(exponent)) > MAX_BITS // 4:
        raise ToolError(f"{text} is too large or too small", hint="use a smaller exponent")
    return _checked(Fraction(text))


def _binary(op: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(op, ast.Pow):
        return _power(left, right)
    work = _ARITHMETIC.get(type(op))
    if work is None:
        raise ToolError("only arithmetic can be calculated", hint=_HINT)
    result = work(left, right)
    return _checked(Fraction(result) if isinstance(result, int) else result)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        times = abs(exponent.numerator)
        if base == 0 and exponent < 0:
            raise ZeroDivisionError
        if abs(base) != 1 and base != 0 and bits(base) * times > 2 * MAX_BITS:
            raise ToolError("the power is too large to calculate", hint="use a smaller base or exponent")
        if abs(base) == 1:
            return base if times % 2 else Fraction(1)
        return _checked(base ** int(exponent))
    if base < 0 and isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator % 2:
        return -_root(-base, exponent) if exponent.numerator % 2 else _root(-base, exponent)
    if base < 0:
        raise ToolError("a root of a negative number is not a real number", hint="use a positive base")
    return _root(base, exponent)


def _root(base: Number, exponent: Number) -> Number:
    """A positive base to a fractional power; exact for squares such as ``9 ** 0.5``."""
    if exponent == Fraction(1, 2):
        return FUNCTIONS["sqrt"].work(base)
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    return _checked(math.pow(base, exponent))


def _call(name: str, values: list[Number]) -> Number:
    function = FUNCTIONS.get(name)
    if function is None:
        raise ToolError(f"there is no function {name!r}", hint=f"known are {', '.join(sorted(FUNCTIONS))}")
    if not function.least <= len(values) <= function.most:
        wanted = f"{function.least}" if function.least == function.most else f"at least {function.least}"
        raise ToolError(f"{name} takes {wanted} numbers, not {len(values)}", hint="separate numbers by commas")
    return _checked(function.work(*values))


def _checked(value: Number) -> Number:
    """*value*, unless it is too large to go on with or not a real number."""
    if isinstance(value, Fraction):
        if bits(value) > MAX_BITS:
            raise ToolError("the result is too large to calculate", hint="use smaller numbers")
    elif isinstance(value, complex) or not math.isfinite(value):
        raise ToolError("the result is not a finite real number", hint="use smaller numbers")
    return value
