"""The calculator agrees with exact arithmetic, understands how people write, and refuses the rest."""

from __future__ import annotations

import contextlib
import math
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitu_basics.calculator import evaluate
from gitu_basics.numbers import is_exact, short, show
from gitu_core import ToolError


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 1", "2"),
        ("0.1 + 0.2", "0.3"),
        ("17 * 23", "391"),
        ("10 / 4 =", "2.5"),
        ("10/3", "3.33333333333333"),
        ("-2**2", "-4"),
        ("2^10", "1024"),
        ("2^-2", "0.25"),
        ("2 to the power of 8", "256"),
        ("15% of 80", "12"),
        ("50 percent of 200", "100"),
        ("80 + 10%", "88"),
        ("100 - 25%", "75"),
        ("(200+50)*10%", "25"),
        ("20% off 50", "40"),
        ("25% of 10% of 400", "10"),
        ("3 - 50% of 4", "1"),
        ("17 % 5", "2"),
        ("7 mod 3", "1"),
        ("what is 17 * 23?", "391"),
        ("12 divided by 4 plus 2 times 3", "9"),
        ("3 x 4", "12"),
        ("5 × 4² ÷ 8", "10"),  # noqa: RUF001 (what people type)
        ("0x1f", "31"),
        ("1,234,567.5 * 2", "2469135"),
        ("max(1,000)", "1"),
        ("5!", "120"),
        ("(3+2)!", "120"),
        ("2pi", "6.28318530717959"),
        ("(1+2)(3+4)", "21"),
        ("square root of 144 plus 6", "18"),
        ("√16", "4"),
        ("sqrt(2)", "1.4142135623731"),
        ("cbrt(27)", "3"),
        ("(-8)^(1/3)", "-2"),
        ("sin(30°)", "0.5"),
        ("cos(60 degrees)", "0.5"),
        ("sin(pi)", "0"),
        ("log(1000)", "3"),
        ("log(8, 2)", "3"),
        ("ln(e)", "1"),
        ("round(2.5)", "3"),
        ("round(-2.345, 2)", "-2.35"),
        ("mean(1, 2, 3.5)", "2.16666666666667"),
        ("median(3, 1, 2)", "2"),
        ("gcd(12, 18)", "6"),
        ("comb(49, 6)", "13983816"),
        ("hypot(3, 4)", "5"),
        ("1e-5", "0.00001"),
        ("2**100", str(2**100)),
    ],
)
def test_arithmetic_as_people_write_it(expression: str, result: str) -> None:
    """Words, signs, percentages, functions."""
    assert show(evaluate(expression)) == result


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "   ?",
        "hello",
        "1 +",
        "(1",
        "1/0",
        "5 % 0",
        "0 ** -1",
        "sqrt(-1)",
        "(-2) ** 0.5",
        "log(0)",
        "ln(-1)",
        "acos(2)",
        "exp(1000)",
        "foo(2)",
        "sqrt(1, 2)",
        "abs()",
        "gcd(1.5)",
        "factorial(10**9)",
        "9**9**9",
        "10**10**10",
        "2**13000",
        "1e9999",
        "1e99999999999",
        "(((9**999)**9)**9)**9",
        "__import__('os').system('true')",
        "().__class__.__bases__",
        "open('x')",
        "exec(1)",
        "1 if 2 else 3",
        "[1, 2]",
        "lambda: 1",
        "x := 3",
        "True",
        "'a' * 3",
        "1 < 2",
        "1 & 2",
        "f'{1}'",
        "3j",
        "max(*[1])",
        "print",
        "(" * 400 + "1" + ")" * 400,
        "-" * 900 + "1",
        "1+" * 499 + "1" + "+1" * 100,
        "9" * 1001,
        "%",
        "!",
        "1\x002",
        "\ud800",
    ],
)
def test_what_is_no_arithmetic_is_refused_at_once(expression: str) -> None:
    """With a sentence and a next step, in well under a second, and never by running anything."""
    began = time.process_time()
    with pytest.raises(ToolError) as error:
        evaluate(expression)
    assert error.value.hint
    assert time.process_time() - began < 0.5


numbers = st.one_of(
    st.integers(-1000, 1000).map(lambda n: (str(n) if n >= 0 else f"({n})", Fraction(n))),
    st.decimals(0, 1000, places=3).map(lambda d: (f"{d:f}", Fraction(d))),
)
Pair = tuple[str, Fraction]


def join(pairs: tuple[Pair, str, Pair]) -> Pair:
    """Two expressions and an operator as one, with what Python makes of it."""
    (left, a), op, (right, b) = pairs
    if op in ("/", "//", "%") and b == 0:
        op = "*"
    if op == "**":
        power = int(abs(b)) % 5
        return f"({left}) ** {power}", a**power
    value = {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "//": lambda: Fraction(a // b),
        "%": lambda: a % b,
    }[op]()
    return f"({left} {op} ({right}))", value


trees = st.recursive(
    numbers,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(join),
    max_leaves=12,
)


@given(trees)
@settings(max_examples=300)
def test_it_agrees_with_exact_arithmetic(tree: Pair) -> None:
    """Any tree of operators over whole and decimal numbers comes out exactly."""
    expression, value = tree
    if len(expression) > 1000 or max(value.numerator.bit_length(), value.denominator.bit_length()) > 2000:
        return
    assert evaluate(expression) == value


@given(
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.sampled_from(["sin", "cos", "atan", "tanh", "exp", "sqrt", "ln", "degrees"]),
)
def test_functions_agree_with_pythons(value: float, name: str) -> None:
    """To twelve digits, where Python gives a number at all.

    Not below the smallest normal number: the calculator takes 5e-324 as it is written, and Python the nearest of the
    few that are left there, which is another number.
    """
    try:
        expected = math.log(value) if name == "ln" else getattr(math, name)(value)
    except (ValueError, OverflowError):
        with pytest.raises(ToolError):
            evaluate(f"{name}({value!r})")
        return
    assert float(evaluate(f"{name}({value!r})")) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    """It gives a number or a `ToolError`, never anything else."""
    with contextlib.suppress(ToolError):
        assert evaluate(text) is not None


@given(st.fractions(max_denominator=10**6), st.integers(-60, 60))
def test_numbers_are_shown_as_what_they_are(value: Fraction, power: int) -> None:
    """Exact ones read back exactly, others to fifteen digits; short ones keep their size."""
    value *= Fraction(10) ** power
    if is_exact(value):
        assert Fraction(show(value)) == value
    else:
        assert abs(Fraction(show(value)) - value) <= abs(value) / 10**13
    assert abs(Fraction(short(value)) - value) <= abs(value) / 10**5
    assert len(short(value)) <= 45
