"""Exact decimals: parsing, rounding to a step, printing.

Money and quantities are `Decimal` throughout the project and travel as plain strings (no exponent), because Binance
refuses `1e-05` with -1100 (binance-protocol.md 2.5) and because binary floats cannot hold 0.1.
"""

from decimal import Context, Decimal, InvalidOperation

ZERO = Decimal(0)

EXACT = Context(prec=60)
"""Digits that hold every product of a price, a quantity and a percentage, so that no comparison is of rounded numbers.

Copy it with `localcontext(EXACT)`, or call its own methods, which round by it and leave the thread's context alone.
"""


def parse_amount(text: str) -> Decimal:
    """A finite decimal from its text.

    Raises:
        ValueError: the text is not a number, or is NaN or infinite.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    return value


def plain(value: Decimal) -> str:
    """The shortest plain notation: no exponent, no trailing zeros, never `-0`."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(value: Decimal, unit: Decimal) -> Decimal:
    """`value` to the digits of `unit`, half to even, without trailing zeros; as it is if it is infinite or too long."""
    try:
        return Decimal(plain(EXACT.quantize(value, unit)))
    except InvalidOperation:
        return value


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is at most `value` (value >= 0); a zero step leaves the value as it is."""
    if not step:
        return value
    return EXACT.multiply(EXACT.divide_int(value, step), step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps; a zero step allows every value."""
    return not step or not EXACT.remainder(value, step)
